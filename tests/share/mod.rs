//! The share of its rounds that a long test runs.
//!
//! `LIVERYSYNC_TEST_SHARE=2/4` leaves out all but the second of every four rounds. `cargo xtask test` sets it: the
//! commit's hash chooses the share. Without it a test runs all its rounds.

/// The variable with this run's share.
pub(crate) const VARIABLE: &str = "LIVERYSYNC_TEST_SHARE";

/// Returns the rounds of the share in the value of [`VARIABLE`].
///
/// # Panics
///
/// Panics if the value is not `NUMBER/OF`.
pub(crate) fn rounds<T>(
    all: impl Iterator<Item = T>,
    value: Option<&str>,
) -> impl Iterator<Item = T> {
    let (number, of) = value
        .map_or((1, 1), |text| parse(text).unwrap_or_else(|| panic!("{VARIABLE} is {text:?}")));
    all.skip(number - 1).step_by(of)
}

fn parse(text: &str) -> Option<(usize, usize)> {
    let (number, of) = text.split_once('/')?;
    let (number, of) = (number.parse().ok()?, of.parse().ok()?);
    (1 <= number && number <= of).then_some((number, of))
}

#[test]
fn a_share_has_a_number_and_a_whole() {
    let check = |text, expected| assert_eq!(parse(text), expected, "{text}");
    check("1/1", Some((1, 1)));
    check("2/4", Some((2, 4)));
    check("0/4", None);
    check("5/4", None);
    check("4", None);
    check("", None);
}

#[test]
fn each_round_is_in_one_share() {
    for of in 1..=5 {
        for count in 0..=12 {
            let share = |number| rounds(0..count, Some(&format!("{number}/{of}"))).collect();
            let shares: Vec<Vec<i32>> = (1..=of).map(share).collect();
            let mut all = shares.concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..count), "{of} shares of {count} rounds");
            let sizes = shares.iter().map(Vec::len);
            assert!(sizes.clone().max() <= sizes.min().map(|least| least + 1), "they are alike");
        }
    }
    assert!(rounds(0..12, None).eq(0..12));
}
