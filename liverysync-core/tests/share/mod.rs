//! The share of its rounds that a long test runs.
//!
//! `LIVERYSYNC_TEST_SHARE=2/4` leaves out all but the second of every four rounds. `cargo xtask test` sets it, for each
//! commit to another share. Without it a test runs all its rounds.

/// Returns the rounds of this run's share.
///
/// # Panics
///
/// Panics if the variable is not `NUMBER/OF`.
#[expect(clippy::disallowed_methods, reason = "the share comes from the environment")]
pub(crate) fn rounds(all: impl Iterator<Item = u64>) -> impl Iterator<Item = u64> {
    let text = std::env::var("LIVERYSYNC_TEST_SHARE").unwrap_or_else(|_| "1/1".to_owned());
    let (number, of) = parse(&text).unwrap_or_else(|| panic!("LIVERYSYNC_TEST_SHARE is {text:?}"));
    all.skip(number - 1).step_by(of)
}

fn parse(text: &str) -> Option<(usize, usize)> {
    let (number, of) = text.split_once('/')?;
    let (number, of) = (number.parse().ok()?, of.parse().ok()?);
    (1 <= number && number <= of).then_some((number, of))
}

#[test]
fn a_share_is_a_part_of_a_whole() {
    let check = |text, expected| assert_eq!(parse(text), expected, "{text}");
    check("1/1", Some((1, 1)));
    check("2/4", Some((2, 4)));
    check("0/4", None);
    check("5/4", None);
    check("4", None);
    check("", None);
}
