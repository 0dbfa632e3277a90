//! How far what was heard is from what was said. Taken in by unit tests and by `benches/wer.rs`.

/// Words put in, left out or changed between the two: Levenshtein's distance.
pub(crate) fn word_errors(said: &[String], heard: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, a) in said.iter().enumerate() {
        let above = row.clone();
        row[0] = i + 1;
        for (j, b) in heard.iter().enumerate() {
            row[j + 1] = (above[j] + usize::from(a != b)).min(above[j + 1] + 1).min(row[j] + 1);
        }
    }
    row[heard.len()]
}
