//! On a terminal: logs may be coloured, and the demo shows its live view and obeys keys.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use crate::support::{eventually, windrose};
use nix::pty::{Winsize, openpty};

/// A verb on a terminal of its own.
struct Terminal {
    child: Child,
    keys: File,
    shown: Arc<Mutex<String>>,
}

impl Terminal {
    fn run(args: &[&str]) -> Self {
        let size = Winsize {
            ws_row: 40,
            ws_col: 140,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(Some(&size), None).expect("a terminal");
        let end = || Stdio::from(pty.slave.try_clone().expect("a second handle"));
        let child = windrose()
            .args(args)
            .env("TERM", "xterm-256color")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("the binary starts");
        let keys = File::from(pty.master);
        let mut screen = keys.try_clone().expect("a second handle");
        let shown = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            // The read fails when the last process of the terminal is gone.
            while let Ok(n @ 1..) = screen.read(&mut chunk) {
                let text = String::from_utf8_lossy(&chunk[..n]).into_owned();
                sink.lock().expect("no panic before").push_str(&text);
            }
        });
        Self { child, keys, shown }
    }

    fn await_text(&self, text: &str) {
        let seen = || self.shown.lock().expect("no panic before").clone();
        eventually(&format!("the terminal shows {text:?}"), || {
            seen().contains(text).then_some(())
        });
    }

    fn press(&mut self, key: &str) {
        self.keys.write_all(key.as_bytes()).expect("a key is taken");
    }

    fn end(&mut self) -> Option<i32> {
        let status = eventually("it ends", || self.child.try_wait().expect("a child"));
        status.code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_live_view_obeys_keys_and_gives_the_terminal_back() {
    let mut demo = Terminal::run(&["demo", "--ports", "auto", "--rate", "50"]);
    demo.await_text("k kill");
    // Only what changes is drawn, and blanks were there before: a word stands in one piece.
    demo.press("k1");
    demo.await_text("(kill)");
    demo.press("q");
    assert_eq!(demo.end(), Some(0));
    // Leaves the alternate screen, and then says what happened.
    demo.await_text("\u{1b}[?1049l");
    demo.await_text("0 of them idempotent");
}

#[test]
fn a_verb_with_logs_runs_on_a_terminal() {
    let mut check = Terminal::run(&[
        "check",
        "-c",
        "tests/data/shop.yaml",
        "--log-level",
        "debug",
    ]);
    check.await_text("ok: 1 app, 2 clusters, 1 zone");
    assert_eq!(check.end(), Some(0));
}
