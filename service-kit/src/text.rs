//! Text that is valid by its type. Counted in Unicode scalar values after normalisation (NFC), with CRLF made LF.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use crate::fields::{Broken, Field};

/// Text of `MIN` to `MAX` characters, without control characters but line breaks and tabs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<const MIN: usize, const MAX: usize>(String);

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// Normalises and checks.
    ///
    /// # Errors
    /// The text is too short, too long, or holds a control character.
    pub fn new(text: &str) -> Result<Self, Broken> {
        let text: String = text.replace("\r\n", "\n").nfc().collect();
        if let Some(c) = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            return Err(Broken::new("control_character", format!("must not hold the control character U+{:04X}", u32::from(c))));
        }
        match text.chars().count() {
            count if count < MIN => Err(Broken::new("too_short", format!("must have at least {}", characters(MIN)))),
            count if count > MAX => Err(Broken::new("too_long", format!("must have at most {}, has {count}", characters(MAX)))),
            _ => Ok(Self(text)),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// No text, where none is needed.
impl<const MAX: usize> Default for Text<0, MAX> {
    fn default() -> Self {
        Self(String::new())
    }
}

fn characters(n: usize) -> String {
    if n == 1 { "1 character".into() } else { format!("{n} characters") }
}

impl<const MIN: usize, const MAX: usize> From<Text<MIN, MAX>> for String {
    fn from(text: Text<MIN, MAX>) -> Self {
        text.0
    }
}

impl<const MIN: usize, const MAX: usize> Field for Text<MIN, MAX> {
    fn read(value: &Value) -> Result<Self, Broken> {
        Self::new(value.as_str().ok_or_else(|| Broken::new("wrong_type", "must be a string"))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_counted_in_characters_after_normalisation() {
        // e + combining accent is one character, a flag is two.
        assert_eq!(Text::<1, 1>::new("e\u{301}").unwrap().as_str(), "é");
        assert_eq!(Text::<0, 1>::new("🇮🇹").unwrap_err().code, "too_long");
        assert_eq!(Text::<1, 9>::new("").unwrap_err().code, "too_short");
        assert_eq!(Text::<1, 9>::new("a\r\nb").unwrap().as_str(), "a\nb");
    }

    #[test]
    fn control_characters_are_refused_but_for_breaks_and_tabs() {
        assert!(Text::<0, 9>::new("a\n\tb").is_ok());
        for bad in ["\0", "a\u{7}", "\r", "\u{85}"] {
            assert_eq!(Text::<0, 9>::new(bad).unwrap_err().code, "control_character");
        }
    }
}
