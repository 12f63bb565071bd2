//! What was probably meant by a misspelled name or key.

/// The candidate nearest to `wrong` by Jaro-Winkler similarity, if it is above 0.8.
pub fn meant<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(wrong, candidate), candidate))
        .filter(|(near, _)| *near > 0.8)
        // Of several as near, the first.
        .min_by(|a, b| b.0.total_cmp(&a.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_nonsense_none() {
        let names = ["virginia", "frankfurt", "singapore"];
        assert_eq!(meant("frankfrut", names), Some("frankfurt"));
        assert_eq!(meant("singapur", names), Some("singapore"));
        assert_eq!(meant("xyz", names), None);
        assert_eq!(meant("1.1", ["1.2", "1.3"]), Some("1.2"));
    }
}
