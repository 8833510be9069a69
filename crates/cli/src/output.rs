//! Lines for a person, or lines of JSON for a program.

use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use carillon_client::ClientError;
use serde::Serialize;
use tokio::time::Instant;

use crate::exit::Exit;
use crate::text::Lang;

/// Where and how to say things.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) lang: Lang,
    pub(crate) json: bool,
    start: Instant,
}

/// A command that did not do what it should, and was said so.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) Exit);

/// Something that happened, with its time.
#[derive(Serialize)]
struct Timed<'a, T> {
    /// Milliseconds since 1970.
    at: u64,
    /// Milliseconds since the command started.
    elapsed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<&'a str>,
    #[serde(flatten)]
    what: &'a T,
}

#[derive(Serialize)]
struct ErrorLine<'a> {
    error: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

impl Output {
    pub(crate) fn new(lang: Lang, json: bool) -> Self {
        Self { lang, json, start: Instant::now() }
    }

    /// A line on standard output. Who reads it may have gone away: that is no failure of the command.
    pub(crate) fn line(self, text: &str) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    /// The sentence for a person; nothing in JSON.
    pub(crate) fn say(self, text: &str) {
        if !self.json {
            self.line(text);
        }
    }

    /// A remark for a person on standard error, in either mode.
    pub(crate) fn remark(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// One object for a program; nothing otherwise.
    pub(crate) fn object<T: Serialize>(self, value: &T) {
        if self.json
            && let Ok(text) = serde_json::to_string(value)
        {
            self.line(&text);
        }
    }

    /// The same thing to whoever listens.
    pub(crate) fn show<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) {
        if self.json { self.object(value) } else { self.line(&text()) }
    }

    /// Something that happened just now; see [`event_at`](Self::event_at).
    pub(crate) fn event<T: Serialize>(self, who: Option<&str>, what: &T, text: Option<String>) {
        self.event_at(Instant::now(), who, what, text);
    }

    /// Something that happened; `who` names the end of the call that it happened at, where there is more than one.
    pub(crate) fn event_at<T: Serialize>(
        self,
        when: Instant,
        who: Option<&str>,
        what: &T,
        text: Option<String>,
    ) {
        let millis = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let elapsed = when.saturating_duration_since(self.start);
        if self.json {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let at = millis(since.saturating_sub(when.elapsed()));
            self.object(&Timed { at, elapsed: millis(elapsed), who, what });
            return;
        }
        let who = who.map(|who| format!("{who:<4} ")).unwrap_or_default();
        for line in text.iter().flat_map(|text| text.lines()) {
            self.line(&format!("{:8.3} s  {who}{line}", elapsed.as_secs_f64()));
        }
    }

    /// Says what went wrong, on standard error, and gives the exit code.
    pub(crate) fn failed(self, error: &ClientError) -> Failure {
        self.failed_as(error, &self.lang.error(error))
    }

    /// The same with another sentence.
    pub(crate) fn failed_as(self, error: &ClientError, sentence: &str) -> Failure {
        self.wrong(error.code.as_str(), sentence, error.retry_after.map(|wait| wait.0));
        Failure(Exit::of(error))
    }

    /// Something other than the client's errors.
    pub(crate) fn wrong(self, code: &str, sentence: &str, retry_after: Option<u64>) {
        let text = if self.json {
            serde_json::to_string(&ErrorLine { error: code, message: sentence, retry_after })
                .unwrap_or_default()
        } else {
            sentence.to_owned()
        };
        self.remark(&text);
    }
}

/// A moment as the person's clock shows it.
pub(crate) fn local_time(at: carillon_wire::UnixMillis) -> String {
    i64::try_from(at.0)
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
        .map(|at| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_default()
}

/// A length as a person reads it.
pub(crate) fn length(millis: carillon_wire::Millis) -> String {
    let seconds = millis.0.div_euclid(1000);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use carillon_wire::Millis;

    use super::*;

    #[test]
    fn lengths_read_like_a_clock_from_a_minute_on() {
        let shown: Vec<_> =
            [0, 999, 59_999, 60_000, 3_600_000, 36_061_000].map(|ms| length(Millis(ms))).into();
        assert_eq!(shown, ["0 s", "0 s", "59 s", "1:00", "1:00:00", "10:01:01"]);
    }
}
