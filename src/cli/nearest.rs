//! The name that was probably meant.

/// The candidate with the fewest edits, if it is near enough to be worth saying.
pub(crate) fn nearest<'a>(
    wrong: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    names
        .into_iter()
        .map(|name| (edits(wrong, name), name))
        .min()
        .filter(|(edits, name)| *edits <= 2.max(name.chars().count() / 3))
        .map(|(_, name)| name)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_nonsense_none() {
        let names = ["virginia", "frankfurt", "singapore"];
        assert_eq!(nearest("frankfrut", names), Some("frankfurt"));
        assert_eq!(nearest("singapur", names), Some("singapore"));
        assert_eq!(nearest("xyz", names), None);
    }
}
