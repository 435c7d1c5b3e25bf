//! Properties of the path rule, against a second, slower wording of it.

use std::path::{Component, Path};

use liverysync_core::path::{Extensions, RelPath, fold};
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

/// Says whether the rule accepts `text`: what `RelPath::parse` decides, worded as the rule is.
fn acceptable(text: &str) -> bool {
    let components: Vec<&str> = text.split('/').collect();
    let extension = text
        .rsplit('/')
        .next()
        .filter(|name| name.contains('.'))
        .and_then(|name| name.rsplit('.').next());
    text.len() <= 1_024
        && components.len() <= 16
        && components.iter().all(|component| acceptable_component(component))
        && extension.is_some_and(|extension| {
            ["png", "json", "dds", "jpg", "jpeg", "txt"]
                .contains(&extension.to_ascii_lowercase().as_str())
        })
}

fn acceptable_component(component: &str) -> bool {
    const FORBIDDEN: &str = "<>:\"|?*\\\u{61c}\u{200b}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\
        \u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}\
        \u{fffd}\u{fffe}\u{ffff}\u{2044}\u{2215}\u{2216}\u{ff0f}\u{ff3c}";
    const DOTS: &str = ".\u{2024}\u{2025}\u{2026}\u{fe19}\u{fe30}\u{fe52}\u{ff0e}";
    let lower = component.replace('\u{212a}', "k").to_ascii_lowercase();
    !component.is_empty()
        && component.len() <= 255
        && component.encode_utf16().count() <= 255
        && component.trim_end_matches(['.', ' ']) == component
        && !component.chars().all(|c| DOTS.contains(c))
        && !component.contains(|c: char| {
            FORBIDDEN.contains(c)
                || matches!(u32::from(c), 0..=0x1f | 0x7f..=0x9f | 0xf000..=0xf0ff)
        })
        && lower != ".backup"
        && lower != ".tmp"
        && !names_device(&lower)
        && !looks_like_alias(component)
}

fn names_device(lower: &str) -> bool {
    let name = lower.split('.').next().unwrap_or_default().trim_end_matches(' ');
    let ports = ["com", "lpt"]
        .iter()
        .flat_map(|port| "123456789¹²³".chars().map(move |digit| format!("{port}{digit}")));
    ["con", "prn", "aux", "nul", "conin$", "conout$"].contains(&name)
        || ports.into_iter().any(|port| port == name)
}

fn looks_like_alias(component: &str) -> bool {
    let component: String = component.nfc().collect();
    let parts: Vec<&str> = component.split('.').collect();
    let (stem, extension) = match parts[..] {
        [stem] => (stem, ""),
        [stem, extension] => (stem, extension),
        _ => return false,
    };
    let Some(tilde) = stem.rfind('~') else {
        return false;
    };
    let number = &stem[tilde + 1..];
    tilde > 0
        && number.parse::<u32>().is_ok_and(|index| index > 0 && index.to_string() == number)
        && stem.chars().count() <= 8
        && extension.chars().count() <= 3
        && component.chars().all(|c| !" +,;=[]".contains(c) && c.len_utf8() < 4)
}

/// Texts that the rule looks at, and texts that resemble them.
const PIECES: &str = "a B 7 livery decals .png .PNG .json .exe . .. / / / // \\ : CON con nul COM lpt 1 ¹ ٣ \
    IN$ ~1 ~ ~0 ~23 PROGRA~1 LIVERY + [ .backup .bac\u{212a}up .tmp .TMP \u{2024} \u{2025} \u{2026} \
    \u{ff0e} é e\u{301} ß ı İ ſ ガ \u{3099} 🏁 \u{200d} \u{200b} \u{202e} \u{f022} \u{e000} \u{fffd} \
    \u{2044} \u{345} \u{fb2c} \u{338} \0 # & '";

/// Returns paths made of those: most are refused, many only just.
fn tricky() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        12 => prop::sample::select(PIECES.split(' ').collect::<Vec<_>>()).prop_map(str::to_owned),
        1 => Just(" ".to_owned()),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Returns folders with names that Windows takes for something else, or nearly does.
fn near_miss() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "(con|PRN|Aux|nul|conin|CONOUT|com|LPT)[19¹³٣0$ ]{0,2}[ .]{0,2}(txt|tar\\.png)?",
        "[A~é🏁]{0,7}[ +,;=.\\[\\]]?~[0-9]{0,3}a?(\\.[a-z~]{0,4})?",
        "[._]?(tmp|TMP|backup|bac\u{212a}up)[ .s]?",
        "[.\u{2024}\u{2025}\u{2026}\u{ff0e}\u{fe30}a]{1,3}",
    ];
    name.prop_map(|name| format!("livery/{name}/decals.png"))
}

/// Returns paths with nothing odd in them, of any length around the limits.
fn plain() -> impl Strategy<Value = String> {
    let component = prop_oneof![8 => "[a-z#&' éガ🏁]{1,12}x", 1 => "[a-zé]{120,260}"];
    (prop::collection::vec(component, 1..18), "(\\.png|\\.JSON|\\.exe)?")
        .prop_map(|(components, extension)| components.join("/") + &extension)
}

fn any_path() -> impl Strategy<Value = String> {
    prop_oneof![4 => tricky(), 4 => near_miss(), 2 => plain(), 1 => any::<String>()]
}

fn accepted() -> impl Strategy<Value = RelPath> {
    let named = (tricky(), "[a-z]").prop_map(|(text, letter)| format!("{text}{letter}.png"));
    prop_oneof![named, near_miss(), plain()]
        .prop_filter_map("refused", |text| RelPath::parse(&text, &Extensions::default()).ok())
}

/// Returns the text in the other case, where that is one character for each.
fn swap_case(text: &str) -> String {
    let only = |c: char, mapped: String| {
        if mapped.chars().count() == 1 { mapped } else { c.to_string() }
    };
    text.nfc()
        .map(|c| match c {
            'ı' => c.to_string(),
            _ if c.is_lowercase() => only(c, c.to_uppercase().collect()),
            _ => only(c, c.to_lowercase().collect()),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_rule_accepts_what_its_plain_wording_accepts(text in any_path()) {
        let parsed = RelPath::parse(&text, &Extensions::default());
        prop_assert_eq!(parsed.is_ok(), acceptable(&text), "{:?} {:?}", text, parsed);
    }

    #[test]
    fn an_accepted_path_is_never_changed(path in accepted()) {
        let again = RelPath::parse(path.as_str(), &Extensions::default());
        prop_assert_eq!(again.as_ref().map(RelPath::key), Ok(path.key()));
        prop_assert_eq!(again.as_ref(), Ok(&path));
        prop_assert_eq!(path.components().collect::<Vec<_>>().join("/"), path.as_str());
        prop_assert_eq!(format!("{}.{}", path.stem(), path.extension()), path.file_name());
        prop_assert_eq!(path.with_file_name(path.file_name(), &Extensions::default()), Ok(path));
    }

    #[test]
    fn an_accepted_path_never_leaves_the_root(path in accepted()) {
        let root = Path::new("root");
        let joined = root.join(path.as_str());
        let mut components = joined.components();
        prop_assert_eq!(components.next(), Some(Component::Normal("root".as_ref())));
        prop_assert!(components.clone().all(|component| matches!(component, Component::Normal(_))));
        prop_assert_eq!(components.count(), path.components().count());
        prop_assert!(joined.strip_prefix(root).is_ok());
    }

    #[test]
    fn a_key_has_the_components_of_its_path(path in accepted()) {
        let key = path.key();
        prop_assert_eq!(fold(key.as_str()), key.as_str());
        prop_assert_eq!(key.as_str().split('/').count(), path.components().count());
        prop_assert_eq!(key.ancestors().count() + 1, path.components().count());
        prop_assert!(key.as_str().split('/').eq(path.components().map(fold)), "folded as a whole or one by one");
        prop_assert!(key.as_str().split('/').all(|folded| !["", ".", "..", ".tmp", ".backup"].contains(&folded)));
        prop_assert!(key.as_str().len() <= 3 * path.as_str().len());
    }

    #[test]
    fn variants_share_the_key(path in accepted()) {
        let decomposed: String = path.as_str().nfd().collect();
        prop_assert_eq!(fold(&decomposed), path.key().as_str());
        prop_assert_eq!(fold(&swap_case(path.as_str())), path.key().as_str());
    }

    #[test]
    fn folding_twice_changes_nothing(text in any_path()) {
        prop_assert_eq!(fold(&fold(&text)), fold(&text));
    }
}
