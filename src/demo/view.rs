//! The live view on a terminal: clusters, load, what happened and why.

use std::io;

use ratatui::DefaultTerminal;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table};
use windrose_model::Verdict;

use super::What;
use super::director::Second;

/// The terminal, given back when dropped.
pub(crate) struct View {
    terminal: DefaultTerminal,
    intro: Vec<String>,
}

impl View {
    pub(crate) fn new(intro: Vec<String>) -> io::Result<Self> {
        Ok(Self {
            terminal: ratatui::try_init()?,
            intro,
        })
    }

    /// Draws a state. A terminal that went away shows nothing more.
    pub(crate) fn draw(&mut self, second: &Second, events: &[String], pending: Option<What>) {
        let intro = &self.intro;
        let _ = self
            .terminal
            .draw(|frame| draw(frame, intro, second, events, pending));
    }
}

impl Drop for View {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn draw(
    frame: &mut Frame<'_>,
    intro: &[String],
    second: &Second,
    events: &[String],
    pending: Option<What>,
) {
    let clusters = u16::try_from(second.rows.len()).unwrap_or(8);
    // Title and the lines to copy.
    let head = intro.iter().take_while(|line| *line != "clusters:").count();
    let [top, load, table, log, foot] = Layout::vertical([
        Constraint::Length(u16::try_from(head).unwrap_or(6)),
        Constraint::Length(2),
        Constraint::Length(clusters + 3),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let lines: Vec<_> = intro
        .iter()
        .take(head)
        .map(|l| Line::from(l.as_str()))
        .collect();
    frame.render_widget(Paragraph::new(lines), top);
    frame.render_widget(numbers(second), load);
    frame.render_widget(cluster_table(second), table);
    let room = usize::from(log.height.saturating_sub(2));
    let latest = &events[events.len().saturating_sub(room)..];
    let latest: Vec<_> = latest.iter().map(|l| Line::from(l.as_str())).collect();
    frame.render_widget(
        Paragraph::new(latest).block(Block::bordered().title(" decisions ")),
        log,
    );
    frame.render_widget(Line::from(prompt(second, pending)).dim(), foot);
}

fn numbers(second: &Second) -> Paragraph<'static> {
    let failed = format!(
        "{} failed ({} idempotent)",
        second.failed, second.failed_idempotent
    );
    let failed = match second.failed_idempotent {
        0 => failed.green(),
        _ => failed.red().bold(),
    };
    Paragraph::new(Line::from(vec![
        format!(
            "{:.0} s   {} requests/s   {} queries/s   ",
            second.at.as_secs_f64(),
            second.ok_per_s,
            second.queries_per_s
        )
        .into(),
        failed,
        format!(
            "   {} retried, {} moved",
            second.attempts.retried, second.attempts.moved
        )
        .into(),
    ]))
}

fn cluster_table(second: &Second) -> Table<'static> {
    let rows = second.rows.iter().enumerate().map(|(i, row)| {
        let color = match row.sight.verdict {
            Verdict::Up => Color::Green,
            Verdict::Degraded | Verdict::Draining | Verdict::Unknown => Color::Yellow,
            Verdict::Down => Color::Red,
        };
        Row::new([
            Cell::from(format!("{} {}", i + 1, row.name)),
            Cell::from(row.sight.verdict.to_string()).style(Style::new().fg(color)),
            Cell::from(format!("{} %", row.sight.share)),
            Cell::from(format!("{:>3.0} % {}", row.dns * 100.0, bar(row.dns))),
            Cell::from(format!("{:>3.0} % {}", row.http * 100.0, bar(row.http))),
            Cell::from(format!("{}/s", row.http_per_s)),
            Cell::from(row.failed.unwrap_or("runs").to_owned()),
            Cell::from(row.sight.cause.clone()),
        ])
    });
    let widths = [
        Constraint::Length(13),
        Constraint::Length(9),
        Constraint::Length(7),
        Constraint::Length(17),
        Constraint::Length(17),
        Constraint::Length(8),
        Constraint::Length(10),
        Constraint::Min(20),
    ];
    let names = [
        "cluster",
        "verdict",
        "share",
        "DNS answers",
        "requests",
        "",
        "process",
        "cause",
    ];
    Table::new(rows, widths)
        .header(Row::new(names).style(Style::new().add_modifier(Modifier::BOLD)))
        .block(Block::bordered())
}

/// Ten places for a whole.
fn bar(fraction: f64) -> String {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 10"
    )]
    let full = (fraction.clamp(0.0, 1.0) * 10.0).round() as usize;
    "█".repeat(full)
}

fn prompt(second: &Second, pending: Option<What>) -> String {
    let word = match pending {
        None => {
            return "k kill   s stop   b black hole   r recover, then the cluster's number   q quit"
                .to_owned();
        }
        Some(What::Recover) => "recover",
        Some(What::Fail(mode)) => mode.as_str(),
    };
    let names: Vec<_> = second
        .rows
        .iter()
        .enumerate()
        .map(|(i, row)| format!("{} {}", i + 1, row.name))
        .collect();
    format!("{word} which cluster? {}", names.join("  "))
}
