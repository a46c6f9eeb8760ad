//! Phone numbers: which are well formed, and when two are the same.

use std::collections::BTreeSet;
use std::sync::{LazyLock, OnceLock};

use regex::RegexSet;

/// The longest text that is looked at, punctuation included, in bytes.
const LONGEST: usize = 40;

/// A number in the one form that is compared and indexed: the digits of its
/// E.164 form where it can be parsed as an international number, else the digits
/// as given, after the country code where there is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneKey(String);

impl PhoneKey {
    /// The key of a number that stands alone. None when `number`, without spaces,
    /// `-`, `(` and `)`, is not an optional `+` and 1 to 20 digits.
    ///
    /// `+1555` and `1555` have the same key: a `+` is easily lost in a query string.
    pub fn parse(number: &str) -> Option<Self> {
        let compact = compact(number)?;
        let digits = compact.strip_prefix('+').unwrap_or(&compact);
        Some(Self(e164_digits(digits)))
    }

    /// Whether a number that stands alone says that it begins with a country's code: by a `+`, or `00` for it.
    pub fn is_international(number: &str) -> bool {
        compact(number).is_some_and(|compact| compact.starts_with('+'))
    }

    /// The key of a number that comes with a country code such as `+91`. The
    /// number may repeat the country code, then with a `+`. None when either is malformed.
    pub fn parse_national(country_code: &str, number: &str) -> Option<Self> {
        Some(Self(e164_digits(&international_digits(country_code, number)?)))
    }

    /// A key that was read from the database.
    pub fn stored(key: String) -> Self {
        Self(key)
    }

    /// The key as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Country code and digits in one, with a `+`: how a contact's number is stored
/// and answered. None when either part is malformed.
pub fn with_country_code(country_code: &str, number: &str) -> Option<String> {
    Some(format!("+{}", international_digits(country_code, number)?))
}

/// Whether a text has the form of a country code such as `+91`.
pub fn is_country_code(text: &str) -> bool {
    country_code_digits(text).is_some()
}

fn country_code_digits(text: &str) -> Option<String> {
    let code = compact(text)?;
    let digits = code.strip_prefix('+').unwrap_or(&code);
    (!digits.starts_with('0')).then(|| digits.to_owned())
}

fn international_digits(country_code: &str, number: &str) -> Option<String> {
    let code = country_code_digits(country_code)?;
    let number = compact(number)?;
    let digits = match number.strip_prefix('+') {
        Some(international) if international.starts_with(&code) && international.len() > code.len() => {
            international.to_owned()
        }
        Some(_) => return None,
        None => format!("{code}{number}"),
    };
    (digits.len() <= 20).then_some(digits)
}

fn compact(number: &str) -> Option<String> {
    if number.len() > LONGEST {
        return None;
    }
    let compact: String = number.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')).collect();
    let digits = compact.strip_prefix('+').unwrap_or(&compact);
    if !(1..=20).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // 00 is how many dial the + of an international number, which never goes on with another 0.
    match compact.strip_prefix("00") {
        Some(international) if !international.is_empty() && !international.starts_with('0') => {
            Some(format!("+{international}"))
        }
        _ => Some(compact),
    }
}

fn e164_digits(digits: &str) -> String {
    // To parse a number takes a hundred times as long as to see that nothing in it would change.
    if may_have_trunk_prefix(digits) { parsed_digits(digits) } else { digits.to_owned() }
}

fn parsed_digits(digits: &str) -> String {
    match phonenumber::parse(None, format!("+{digits}")) {
        Ok(number) if phonenumber::is_valid(&number) => {
            let e164 = number.format().mode(phonenumber::Mode::E164).to_string();
            e164.trim_start_matches('+').to_owned()
        }
        _ => digits.to_owned(),
    }
}

/// Whether something may stand between the country's code and the national number that is only dialled within the country,
/// such as the 0 of `+49 (0)30`: all that parsing takes out of a number's digits.
fn may_have_trunk_prefix(digits: &str) -> bool {
    /// What stands there, by country code; None for what is no country's code.
    static PREFIXES: LazyLock<Vec<OnceLock<Option<RegexSet>>>> = LazyLock::new(|| vec![OnceLock::new(); 1000]);
    // No country's code begins with another, or with a 0.
    let code = (1..=3).map_while(|length| digits.split_at_checked(length)).find_map(|(code, national)| {
        let code: u16 = code.parse().ok().filter(|_| !code.starts_with('0'))?;
        let prefixes = PREFIXES[usize::from(code)].get_or_init(|| trunk_prefixes(code));
        prefixes.as_ref().map(|prefixes| (prefixes, national))
    });
    code.is_some_and(|(prefixes, national)| prefixes.is_match(national))
}

fn trunk_prefixes(code: u16) -> Option<RegexSet> {
    let mut prefixes = BTreeSet::new();
    for country in phonenumber::metadata::DATABASE.by_code(&code)? {
        prefixes.extend(country.national_prefix().map(|prefix| format!("^{}", regex::escape(prefix))));
        // These are patterns, written with white space between their parts.
        prefixes.extend(country.national_prefix_for_parsing().map(|prefix| format!("^(?x:{})", prefix.as_str())));
    }
    // Where one cannot be understood, anything may be a prefix.
    RegexSet::new(prefixes).or_else(|_| RegexSet::new([""])).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: &str) -> Option<String> {
        PhoneKey::parse(number).map(|key| key.0)
    }

    #[test]
    fn punctuation_a_trunk_zero_and_the_plus_make_no_difference() {
        assert_eq!(key("+49 (30) 123-4567").as_deref(), Some("49301234567"));
        assert_eq!(key("49301234567"), key("+49 30 1234567"));
        assert_eq!(key("+49 (0)30 1234567"), key("+49 30 1234567"));
    }

    #[test]
    fn a_double_zero_is_a_plus() {
        assert_eq!(key("00442079460777"), key("+44 20 7946 0777"));
        assert_eq!(with_country_code("0044", "(207) 946 0198").as_deref(), Some("+442079460198"));
        assert_eq!(with_country_code("+44", "00442079460198").as_deref(), Some("+442079460198"));
        assert_eq!(with_country_code("044", "2079460198"), None);
        assert_eq!(key("000").as_deref(), Some("000"));
    }

    #[test]
    fn numbers_that_exist_nowhere_are_kept_by_their_digits() {
        assert_eq!(key("+188888888").as_deref(), Some("188888888"));
        assert_eq!(key("+10000000000000000000").as_deref(), Some("10000000000000000000"));
    }

    proptest::proptest! {
        #[test]
        fn what_is_left_unparsed_would_not_have_changed(
            code in "[0-9]{1,3}|1|7|44|49|54|55|52|39|61|86|91", trunk in "|0|00|01|1|8|80|06|044|15",
            national in "[0-9]{0,14}"
        ) {
            let digits: String = format!("{code}{trunk}{national}").chars().take(20).collect();
            proptest::prop_assert_eq!(e164_digits(&digits), parsed_digits(&digits));
        }
    }

    #[test]
    fn numbers_without_a_trunk_prefix_are_not_parsed() {
        for digits in ["49301234567", "12015550123", "919876543210", "442079460777", "188888888", "3906123456"] {
            assert!(!may_have_trunk_prefix(digits), "{digits}");
        }
        for digits in ["490301234567", "112015550123", "78123456789"] {
            assert!(may_have_trunk_prefix(digits), "{digits}");
        }
    }

    #[test]
    fn what_is_no_number_has_no_key() {
        for text in
            ["", "+", "++1", "1+1", "12a", "123456789012345678901", "1\0", "１２３", &format!("1{}", " ".repeat(40))]
        {
            assert_eq!(key(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_country_code_is_told_from_its_form() {
        for code in ["+91", "91", "0091", "(+1) 684", "+ 44"] {
            assert!(is_country_code(code), "{code}");
        }
        for text in ["", "+", "091", "x", "+9x", "+91\0", "９１", "++1"] {
            assert!(!is_country_code(text), "{text:?}");
        }
    }

    #[test]
    fn a_national_number_gets_its_country_code_once() {
        assert_eq!(with_country_code("+91", "98765 43210").as_deref(), Some("+919876543210"));
        assert_eq!(with_country_code("+91", "+919876543210").as_deref(), Some("+919876543210"));
        assert_eq!(with_country_code("+91", "+49301234567"), None);
        assert_eq!(PhoneKey::parse_national("+91", "9876543210"), PhoneKey::parse("+91 98765-43210"));
    }
}
