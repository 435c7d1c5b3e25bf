//! Values of options: the words of a choice, and parsers of everything that is no number.

use chrono::{Local, NaiveDateTime, TimeZone as _};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use liverysync::{
    ClientBuilder, Extensions, InvalidText, LiveryGlobs, Naming, UnixTime,
    backups::{InvalidSetName, SetName},
    league::{InvalidSetting, Setting},
};

use crate::text::values;

/// Returns a parser of the words of several choices.
pub(super) fn one_of<T: Copy + Default + Send + Sync + 'static, const N: usize>(
    words: [(&'static str, T); N],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words.map(|(word, _)| word)).map(move |given| {
        let known = words.iter().find(|(word, _)| *word == given);
        known.map_or_else(T::default, |(_, choice)| *choice)
    })
}

pub(super) fn parse_extensions(text: &str) -> Result<Extensions, String> {
    let extensions: Extensions = text.parse().map_err(|error: InvalidText| error.to_string())?;
    if extensions.is_empty() {
        return Err(values::EMPTY_LIST.to_owned());
    }
    Ok(extensions)
}

/// Reads a choice of shared liveries.
pub(crate) fn parse_shared(text: &str) -> Result<LiveryGlobs, String> {
    match text.trim() {
        "all" => return Ok(LiveryGlobs::all()),
        "none" => return Ok(LiveryGlobs::default()),
        _ => {}
    }
    let line = |glob: &str| LiveryGlobs::line(glob).map_err(|error| values::glob(glob, &error));
    let lines: Vec<_> = text.split(',').map(line).collect::<Result<_, _>>()?;
    Ok(LiveryGlobs::parse(&lines.join("\n")))
}

pub(super) fn parse_name(text: &str) -> Result<String, String> {
    let name = ClientBuilder::check_name(text).map_err(|error| error.to_string())?;
    Ok(name.to_owned())
}

pub(super) fn parse_set(text: &str) -> Result<SetName, InvalidSetName> {
    text.parse()
}

/// Reads a date: with an offset from UTC, or in this PC's time.
pub(super) fn parse_date(text: &str) -> Result<UnixTime, String> {
    if let Ok(date) = text.parse() {
        return Ok(date);
    }
    let clock = text.replace('T', " ");
    let forms = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"];
    let clock = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(&clock, form).ok());
    // An hour that the clock skips in spring is no date. If it repeats an hour in autumn, the later one is meant: a freeze
    // must not end too early.
    let date = clock.and_then(|clock| Local.from_local_datetime(&clock).latest());
    let nanos = date.and_then(|date| date.timestamp_nanos_opt());
    nanos.map(UnixTime::from_nanos).ok_or_else(|| values::DATE.to_owned())
}

pub(super) fn parse_setting(text: &str) -> Result<Setting, InvalidSetting> {
    text.parse()
}

pub(super) fn parse_suffix(text: &str) -> Result<String, String> {
    let naming = Naming::new(text, Extensions::default()).map_err(|error| error.to_string())?;
    Ok(naming.suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_liveries_are_a_word_or_names() {
        assert_eq!(parse_shared("all"), Ok(LiveryGlobs::all()));
        assert_eq!(parse_shared("none"), Ok(LiveryGlobs::default()));
        let list = parse_shared("904*, !904 old,#2_Iris").unwrap();
        assert!(list.covers("904 new") && list.covers("#2_iris") && !list.covers("904 old"));
        assert!(parse_shared("a,,b").is_err() && parse_shared("a/b").is_err());
    }

    #[test]
    fn a_conflict_suffix_must_be_fit_for_a_file_name() {
        assert!(parse_suffix("__CONFLICT__").is_ok());
        for wrong in ["", "/", "a/b", "\\", "?", ":", "\u{202e}", "..\u{7}"] {
            assert!(parse_suffix(wrong).is_err(), "{wrong:?}");
        }
    }
}
