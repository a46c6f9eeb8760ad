//! Time zones: which there are, and in which one a phone number is.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use phonenumber::{PhoneNumber, Type, metadata};

use super::phone::PhoneKey;

/// The longest name of a zone that is looked at, in characters.
pub const MAX_LENGTH: usize = 35;

/// Calling codes whose mobile numbers tell where they are from: Mexico, Argentina,
/// Brazil and Indonesia, after libphonenumber; North America, where an island has
/// an area code of its own, and Kazakhstan, which shares its code with Russia.
const WITH_LOCAL_MOBILES: [u16; 6] = [1, 7, 52, 54, 55, 62];

/// How many digits a number that exists nowhere has at least, and at most, that
/// tells a zone all the same. A shorter one has most likely lost its country code:
/// San Francisco's (415) 555-0100 is not in Switzerland, whose code is 41.
const TELLING: RangeInclusive<usize> = 11..=15;

/// Prefixes of numbers in international form, in order, each with its zone. None
/// where numbers with the prefix are in zones that keep different time.
static PREFIXES: LazyLock<Vec<(&str, Option<&str>)>> = LazyLock::new(|| {
    let lines = include_str!("prefixes.txt").lines().filter(|line| !line.starts_with('#'));
    let entries = lines.filter_map(|line| line.split_once(' '));
    entries.map(|(prefix, zone)| (prefix, Some(zone).filter(|zone| *zone != "-"))).collect()
});

/// The zone of the tz database that `name` names in whatever case, as the database
/// spells it. None when there is none, or the name is longer than [`MAX_LENGTH`].
pub fn named(name: &str) -> Option<&'static str> {
    tzdb_data::TZ_NAMES.iter().copied().find(|zone| zone.len() <= MAX_LENGTH && zone.eq_ignore_ascii_case(name))
}

/// The zone in which a number is, written as [`PhoneKey::parse`] takes it. None when
/// nothing tells, or when it can be in zones that keep different time: to call
/// somebody at the wrong hour is worse than to ask.
///
/// The longest known prefix decides. A mobile or toll-free number says no more
/// than its country, but where mobile numbers are given out like fixed ones. A
/// number that exists nowhere, such as one for films, must be long enough to hold
/// its country's code. One without a `+` that is a North American number as it
/// stands may have lost its 1, whatever country its first digits are the code of.
pub fn derive(number: &str) -> Option<&'static str> {
    let key = PhoneKey::parse(number)?;
    let digits = key.as_str();
    if !PhoneKey::is_international(number) && is_north_american(digits) {
        return None;
    }
    match phonenumber::parse(None, format!("+{digits}")).ok().filter(phonenumber::is_valid) {
        Some(number) if !is_local(&number) => find(&number.code().value().to_string()).flatten(),
        None if !TELLING.contains(&digits.len()) => None,
        _ => (1..=digits.len()).rev().find_map(|length| find(&digits[..length])).flatten(),
    }
}

fn is_north_american(digits: &str) -> bool {
    digits.len() == 10
        && phonenumber::parse(None, format!("+1{digits}")).is_ok_and(|number| phonenumber::is_valid(&number))
}

fn is_local(number: &PhoneNumber) -> bool {
    match number.number_type(&metadata::DATABASE) {
        Type::FixedLine | Type::FixedLineOrMobile => true,
        Type::Mobile => WITH_LOCAL_MOBILES.contains(&number.code().value()),
        _ => false,
    }
}

fn find(prefix: &str) -> Option<Option<&'static str>> {
    let at = PREFIXES.binary_search_by_key(&prefix, |(known, _)| known).ok()?;
    Some(PREFIXES[at].1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(number: &str) -> Option<&'static str> {
        assert!(PhoneKey::parse(number).is_some(), "test numbers are well formed");
        derive(number)
    }

    #[test]
    fn a_number_is_where_its_longest_prefix_is() {
        for (number, wanted) in [
            ("+1 415 555 0100", "America/Los_Angeles"),
            ("+1 212 555 0100", "America/New_York"),
            ("+1 312 555 0100", "America/Chicago"),
            ("+49 30 1234567", "Europe/Berlin"),
            ("+44 20 7946 0958", "Europe/London"),
            ("+44 7911 123456", "Europe/London"),
            ("+91 98765 43210", "Asia/Kolkata"),
            ("+47 22 12 34 56", "Europe/Oslo"),
            ("+61 2 9321 1234", "Australia/Sydney"),
            ("+55 11 91234 5678", "America/Sao_Paulo"),
            ("+34 91 123 45 67", "Europe/Madrid"),
            ("+1 876 210 1234", "America/Jamaica"),
            ("+7 701 123 4567", "Asia/Almaty"),
        ] {
            assert_eq!(zone(number), Some(wanted), "{number}");
        }
    }

    #[test]
    fn a_number_that_can_be_in_several_zones_is_in_none() {
        for number in [
            "+1 800 253 0000",
            "+61 8 9321 1234",
            "+61 412 345 678",
            "+34 612 345 678",
            "+7 912 345 67 89",
            "+1 907 555 0100",
        ] {
            assert_eq!(zone(number), None, "{number}");
        }
    }

    #[test]
    fn numbers_that_exist_nowhere_are_nowhere_or_where_their_prefix_is() {
        for number in ["+188888888", "+177777777", "+100000000", "0", "999", "00000000000000000000"] {
            assert_eq!(zone(number), None, "{number}");
        }
        assert_eq!(zone("+44 7700 900123"), Some("Europe/London"), "a number for films");
        assert_eq!(zone("+7 912 345 67 89 01"), None);
    }

    #[test]
    fn a_number_without_its_country_code_is_not_in_another_country() {
        for number in [
            "(415) 555-0100",
            "212 555 0100",
            "(212) 650-1234",
            "(913) 321-4567",
            "650 555 0100",
            "98765 43210",
            "7911 123456",
        ] {
            assert_eq!(zone(number), None, "{number}");
        }
    }

    #[test]
    fn a_country_has_a_zone_of_its_own() {
        for (number, wanted) in [
            ("+353 1 234 5678", "Europe/Dublin"),
            ("+353 85 012 3456", "Europe/Dublin"),
            ("+212 650 123456", "Africa/Casablanca"),
            ("+213 551 234567", "Africa/Algiers"),
            ("+218 91 2345678", "Africa/Tripoli"),
            ("+60 12 345 6789", "Asia/Kuala_Lumpur"),
            ("+380 50 123 4567", "Europe/Kyiv"),
            ("+998 91 234 5678", "Asia/Tashkent"),
            ("+505 8123 4567", "America/Managua"),
        ] {
            assert_eq!(zone(number), Some(wanted), "{number}");
        }
    }

    #[test]
    fn the_prefixes_are_in_order_say_something_new_and_name_zones_that_exist() {
        assert!(PREFIXES.len() > 2000, "{}", PREFIXES.len());
        assert!(PREFIXES.is_sorted_by(|a, b| a.0 < b.0));
        for (prefix, zone) in PREFIXES.iter() {
            assert!(zone.is_none_or(|zone| named(zone) == Some(zone)), "{prefix}: {zone:?}");
            let shorter = (1..prefix.len()).rev().find_map(|length| find(&prefix[..length]));
            assert_ne!(shorter.flatten(), *zone, "{prefix} says what a shorter prefix says");
        }
    }

    #[test]
    fn a_zone_has_the_name_that_the_tz_database_spells() {
        for (name, zone) in [("Europe/Lisbon", "Europe/Lisbon"), ("europe/LISBON", "Europe/Lisbon"), ("utc", "UTC")] {
            assert_eq!(named(name), Some(zone), "{name:?}");
        }
        for name in ["", "Europe/Atlantis", "PST8PDTX", "\0", "America/Port\rau\rPrince", &"x".repeat(10_000)] {
            assert_eq!(named(name), None, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn any_number_has_a_zone_that_exists_or_none(digits in "[0-9]{1,20}") {
            prop_assert!(zone(&digits).is_none_or(|zone| named(zone) == Some(zone)));
        }
    }
}
