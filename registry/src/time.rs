//! Dates: of certificates and of `Retry-After`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970 of year, month, day, hour, minute, second; `None` if there is no such time.
pub fn seconds([year, month, day, hour, minute, second]: [u64; 6]) -> Option<u64> {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    if !(1970..=9999).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let years: u64 = (1970..year).map(|year| 365 + u64::from(is_leap(year))).sum();
    let days = years + lengths[..month as usize - 1].iter().sum::<u64>() + day - 1;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Returns how long `Retry-After` asks to wait: seconds, or a date of HTTP.
pub fn retry_after(value: &str, now: u64) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    // Wed, 21 Oct 2015 07:28:00 GMT
    let mut words = value.split_once(", ")?.1.split(' ');
    let day = words.next()?.parse().ok()?;
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let name = words.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as u64 + 1;
    let year = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse().ok());
    let [hour, minute, second] = [clock.next()??, clock.next()??, clock.next()??];
    let at = seconds([year, month, day, hour, minute, second])?;
    Some(Duration::from_secs(at.saturating_sub(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let wait = |text| retry_after(text, 1_445_412_470).map(|wait| wait.as_secs());
        assert_eq!((wait("120"), wait(" 0 ")), (Some(120), Some(0)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(10));
        assert_eq!(wait("Wed, 21 Oct 2009 07:28:00 GMT"), Some(0));
        for wrong in ["", "soon", "-1", "Wed, 99 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015"] {
            assert_eq!(wait(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn leap_years_count() {
        assert_eq!(seconds([2000, 3, 1, 0, 0, 0]), Some(951_868_800));
        assert_eq!(seconds([2100, 3, 1, 0, 0, 0]), Some(4_107_542_400));
        assert_eq!(seconds([2001, 2, 29, 0, 0, 0]), None);
    }
}
