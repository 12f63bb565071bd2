//! What keys mean in the live view: a letter for what happens, a digit for the cluster.

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::What;
use crate::cli::args::FailMode;

/// A whole command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// To the cluster of this position.
    Do(What, usize),
    Quit,
}

/// Letters seen so far.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pending: Option<What>,
}

impl Keys {
    /// What is still to be chosen, for the prompt.
    pub(crate) fn pending(&self) -> Option<What> {
        self.pending
    }

    /// Takes a key; gives a command when it is whole.
    pub(crate) fn press(&mut self, key: char) -> Option<Command> {
        self.pending = match key {
            'q' => return Some(Command::Quit),
            'k' => Some(What::Fail(FailMode::Kill)),
            's' => Some(What::Fail(FailMode::Stop)),
            'b' => Some(What::Fail(FailMode::Blackhole)),
            'r' => Some(What::Recover),
            _ => {
                let what = self.pending.take()?;
                let cluster = key.to_digit(10)?.checked_sub(1)?;
                return Some(Command::Do(what, cluster as usize));
            }
        };
        None
    }
}

/// Keys of the terminal, read on a thread of their own until nobody listens.
pub(crate) fn listen() -> mpsc::Receiver<char> {
    let (send, keys) = mpsc::channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let Event::Key(key) = event else { continue };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            let pressed = match key.code {
                // In raw mode ctrl-c is a key like any other.
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => 'q',
                KeyCode::Char(c) => c,
                KeyCode::Esc => ' ',
                _ => continue,
            };
            if send.blocking_send(pressed).is_err() {
                return;
            }
        }
    });
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_and_a_digit_make_a_command() {
        let mut keys = Keys::default();
        assert_eq!(keys.press('k'), None);
        assert_eq!(
            keys.press('2'),
            Some(Command::Do(What::Fail(FailMode::Kill), 1))
        );
        assert_eq!(keys.press('1'), None, "a digit alone means nothing");
        assert_eq!(keys.press('b'), None);
        assert_eq!(keys.press('r'), None, "the last letter holds");
        assert_eq!(keys.press('3'), Some(Command::Do(What::Recover, 2)));
        assert_eq!(keys.press('q'), Some(Command::Quit));
        assert_eq!(keys.press('k'), None);
        assert_eq!(keys.press('0'), None);
    }
}
