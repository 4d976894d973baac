//! The grammar of label selectors.
//!
//! Contract: accepts what `k8s.io/apimachinery/pkg/labels.Parse` accepts and nothing else, but that `;`
//! stands for `,` as well and may end the text, as the published samples write it.
//! Source: <https://pkg.go.dev/k8s.io/apimachinery/pkg/labels#Parse>

use std::collections::BTreeSet;

use super::{InvalidLabelSelector, Requirement};
use crate::limits::{LABEL_KEY_NAME_MAX, LABEL_KEY_PREFIX_MAX, LABEL_VALUE_MAX};

/// Parses the whole text; an empty text has no requirements.
pub(super) fn selector(text: &str) -> Result<Vec<Requirement>, InvalidLabelSelector> {
    let mut parser = Parser {
        text,
        chars: text.chars().collect(),
        at: 0,
    };
    let mut requirements = Vec::new();
    parser.skip_spaces();
    while !parser.is_at_end() {
        requirements.push(parser.requirement()?);
        parser.skip_spaces();
        let comma = parser.take(',');
        if !comma && !parser.is_at_end() && !parser.take(';') {
            return Err(parser.fail("expected , or ; between requirements"));
        }
        parser.skip_spaces();
        if comma && parser.is_at_end() {
            return Err(parser.fail("expected a label key"));
        }
    }
    Ok(requirements)
}

struct Parser<'a> {
    text: &'a str,
    chars: Vec<char>,
    at: usize,
}

impl Parser<'_> {
    fn requirement(&mut self) -> Result<Requirement, InvalidLabelSelector> {
        if self.take('!') {
            self.skip_spaces();
            let key = self.key()?;
            self.skip_spaces();
            return if self.is_at_end() || self.peek_is(&[',', ';']) {
                Ok(Requirement::Absent(key))
            } else {
                Err(self.fail("!key takes no value"))
            };
        }
        let key = self.key()?;
        self.skip_spaces();
        if self.is_at_end() || self.peek_is(&[',', ';']) {
            return Ok(Requirement::Exists(key));
        }
        if self.take('!') {
            return if self.take('=') {
                Ok(Requirement::NotIn(key, BTreeSet::from([self.value()?])))
            } else {
                Err(self.fail("expected = after !"))
            };
        }
        if self.take('=') {
            self.take('=');
            return Ok(Requirement::In(key, BTreeSet::from([self.value()?])));
        }
        if self.take('>') {
            return Ok(Requirement::GreaterThan(key, self.number()?));
        }
        if self.take('<') {
            return Ok(Requirement::LessThan(key, self.number()?));
        }
        let word_at = self.at;
        match self.word().as_str() {
            "in" => Ok(Requirement::In(key, self.values()?)),
            "notin" => Ok(Requirement::NotIn(key, self.values()?)),
            _ => {
                self.at = word_at;
                Err(self.fail("expected =, ==, !=, in, notin, > or <"))
            }
        }
    }

    fn key(&mut self) -> Result<String, InvalidLabelSelector> {
        let start = self.at;
        let key = self.word();
        let (prefix, name) = key
            .split_once('/')
            .map_or((None, key.as_str()), |(p, n)| (Some(p), n));
        let prefix_is_fine = prefix.is_none_or(|p| {
            !p.is_empty()
                && p.len() <= LABEL_KEY_PREFIX_MAX
                && p.split('.').all(is_name)
                && p == p.to_lowercase()
                && !p.contains('_')
        });
        if name.is_empty() || name.len() > LABEL_KEY_NAME_MAX || !is_name(name) || !prefix_is_fine {
            self.at = start;
            return Err(self.fail("expected a label key"));
        }
        Ok(key)
    }

    fn value(&mut self) -> Result<String, InvalidLabelSelector> {
        self.skip_spaces();
        let start = self.at;
        let value = self.word();
        // An empty value is legal in Kubernetes: `key=` asks for the empty string.
        if !value.is_empty() && (value.len() > LABEL_VALUE_MAX || !is_name(&value)) {
            self.at = start;
            return Err(self.fail("expected a label value"));
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<i64, InvalidLabelSelector> {
        self.skip_spaces();
        let start = self.at;
        let text = self.word();
        // The number must be a label value as well, which has no sign.
        let number = text.parse().ok().filter(|_| is_name(&text));
        number.ok_or_else(|| {
            self.at = start;
            self.fail("expected a whole number without a sign")
        })
    }

    fn values(&mut self) -> Result<BTreeSet<String>, InvalidLabelSelector> {
        self.skip_spaces();
        if !self.take('(') {
            return Err(self.fail("expected ("));
        }
        let mut values = BTreeSet::new();
        loop {
            values.insert(self.value()?);
            self.skip_spaces();
            if self.take(')') {
                return Ok(values);
            }
            if !self.take(',') {
                return Err(self.fail("expected , or )"));
            }
        }
    }

    /// Everything up to a separator, an operator or a space.
    fn word(&mut self) -> String {
        let start = self.at;
        while self
            .chars
            .get(self.at)
            .is_some_and(|c| !c.is_whitespace() && !"=!,;()<>".contains(*c))
        {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    fn take(&mut self, wanted: char) -> bool {
        self.take_any(&[wanted])
    }

    fn take_any(&mut self, wanted: &[char]) -> bool {
        let found = self.peek_is(wanted);
        self.at += usize::from(found);
        found
    }

    fn peek_is(&self, wanted: &[char]) -> bool {
        self.chars.get(self.at).is_some_and(|c| wanted.contains(c))
    }

    fn skip_spaces(&mut self) {
        while self.chars.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.chars.len()
    }

    fn fail(&self, why: &str) -> InvalidLabelSelector {
        InvalidLabelSelector {
            text: self.text.to_owned(),
            why: why.to_owned(),
            at: self.at + 1,
        }
    }
}

/// Letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit.
fn is_name(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(text.chars().next())
        && edge(text.chars().next_back())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}
