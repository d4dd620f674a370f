//! XSD regular expressions (YANG's `pattern`, RFC 7950, 9.4.5; XML Schema Part 2, appendix F) as `regex` ones.
//!
//! Translated is only what certainly means the same; a pattern with anything else is left to the compiler's type
//! code. Left are `\w`, `\i`, `\c` and their complements, most block escapes, and class subtraction.

use regex::Regex;
use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

/// The same language as an anchored `Regex`; `None` if that is not certain or the expression is too large.
pub(crate) fn translate(source: &str) -> Option<Regex> {
    let mut translator = Translator { rest: source.chars().peekable(), out: String::new() };
    translator.expression()?;
    Regex::new(&format!(r"\A(?:{})\z", translator.out)).ok()
}

struct Translator<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
}

impl Translator<'_> {
    /// The whole expression: alternatives and groups change nothing but the depth.
    fn expression(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        // Something stands to the left that a quantifier can apply to.
        let mut quantifiable = false;
        while let Some(character) = self.rest.next() {
            match character {
                '(' => {
                    depth += 1;
                    self.out.push_str("(?:");
                    quantifiable = false;
                }
                ')' => {
                    depth = depth.checked_sub(1)?;
                    self.out.push(')');
                    quantifiable = true;
                }
                '|' => {
                    self.out.push('|');
                    quantifiable = false;
                }
                '?' | '*' | '+' | '{' if quantifiable => {
                    self.quantifier(character)?;
                    quantifiable = false;
                }
                '?' | '*' | '+' | '{' | '}' | ']' => return None,
                '.' => {
                    self.out.push_str(r"[^\n\r]");
                    quantifiable = true;
                }
                '[' => {
                    self.class()?;
                    quantifiable = true;
                }
                '\\' => {
                    let escaped = self.escape()?;
                    self.item(&escaped);
                    quantifiable = true;
                }
                _ => {
                    self.literal(character);
                    quantifiable = true;
                }
            }
        }
        (depth == 0).then_some(())
    }

    /// `?`, `*`, `+`, `{n}`, `{n,}` or `{n,m}`, of which the first character was read.
    fn quantifier(&mut self, first: char) -> Option<()> {
        self.out.push(first);
        if first != '{' {
            return Some(());
        }
        let mut text = String::new();
        loop {
            match self.rest.next()? {
                '}' => break,
                character => text.push(character),
            }
        }
        let (least, most) = text.split_once(',').unwrap_or((&text, "0"));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if least.is_empty() || !is_number(least) || !is_number(most) {
            return None;
        }
        self.out.push_str(&text);
        self.out.push('}');
        Some(())
    }

    /// A character class, of which `[` was read.
    fn class(&mut self) -> Option<()> {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut is_empty = true;
        loop {
            let item = match self.rest.next()? {
                ']' if is_empty => return None,
                ']' => break,
                // A class in a class is a subtraction.
                '[' => return None,
                '\\' => self.escape()?,
                // Literal at either end only; a `-` anywhere else is of a range, and is read with that.
                '-' if is_empty || self.rest.peek() == Some(&']') => Escaped::Character('-'),
                '-' => return None,
                character => Escaped::Character(character),
            };
            is_empty = false;
            let Escaped::Character(from) = item else {
                self.item(&item);
                continue;
            };
            self.literal(from);
            if self.rest.peek() == Some(&'-') {
                self.range_end(from)?;
            }
        }
        self.out.push(']');
        Some(())
    }

    /// What follows the first character of a class item if a `-` does: the end of a range, or the end of the class.
    fn range_end(&mut self, from: char) -> Option<()> {
        self.rest.next();
        let to = match self.rest.peek()? {
            ']' => {
                self.literal('-');
                return Some(());
            }
            '[' | '-' => return None,
            '\\' => {
                self.rest.next();
                match self.escape()? {
                    Escaped::Character(to) => to,
                    Escaped::Class(_) => return None,
                }
            }
            _ => self.rest.next()?,
        };
        if to < from {
            return None;
        }
        self.out.push('-');
        self.literal(to);
        Some(())
    }

    /// What an escape stands for, of which the backslash was read.
    fn escape(&mut self) -> Option<Escaped> {
        Some(match self.rest.next()? {
            'n' => Escaped::Character('\n'),
            'r' => Escaped::Character('\r'),
            't' => Escaped::Character('\t'),
            character @ ('\\' | '|' | '.' | '?' | '*' | '+' | '(' | ')' | '{' | '}' | '-' | '['
            | ']' | '^' | '$' | '/') => Escaped::Character(character),
            'd' => Escaped::Class(r"\p{Nd}".to_owned()),
            'D' => Escaped::Class(r"\P{Nd}".to_owned()),
            's' => Escaped::Class(r"[ \t\n\r]".to_owned()),
            'S' => Escaped::Class(r"[^ \t\n\r]".to_owned()),
            'p' => self.property("")?,
            'P' => self.property("^")?,
            _ => return None,
        })
    }

    /// `{L}` or the like, behind `\p` or, with `negation`, `\P`.
    fn property(&mut self, negation: &str) -> Option<Escaped> {
        let mut name = String::new();
        if self.rest.next()? != '{' {
            return None;
        }
        loop {
            match self.rest.next()? {
                '}' => break,
                character => name.push(character),
            }
        }
        let range = match name.as_str() {
            "IsBasicLatin" => r"\x{0}-\x{7F}",
            "IsLatin-1Supplement" => r"\x{80}-\x{FF}",
            _ if is_category(&name) => {
                return Some(Escaped::Class(format!("[{negation}\\p{{{name}}}]")));
            }
            _ => return None,
        };
        Some(Escaped::Class(format!("[{negation}{range}]")))
    }

    fn item(&mut self, item: &Escaped) {
        match item {
            Escaped::Character(character) => self.literal(*character),
            Escaped::Class(class) => self.out.push_str(class),
        }
    }

    /// Exactly this character, in or outside a class.
    fn literal(&mut self, character: char) {
        if character.is_ascii_alphanumeric() {
            self.out.push(character);
        } else {
            // Writing to a String does not fail.
            let written = write!(self.out, "\\x{{{:X}}}", u32::from(character));
            debug_assert!(written.is_ok());
        }
    }
}

/// What an escape stands for.
enum Escaped {
    Character(char),
    /// In the syntax of `regex`.
    Class(String),
}

/// A general category of Unicode, as XML Schema lists them.
fn is_category(name: &str) -> bool {
    const CATEGORIES: [(char, &str); 7] = [
        ('L', "ultmo"),
        ('M', "nce"),
        ('N', "dlo"),
        ('P', "cdseifo"),
        ('Z', "slp"),
        ('S', "mcko"),
        ('C', "cfon"),
    ];
    let mut characters = name.chars();
    let (first, second) = (characters.next(), characters.next());
    characters.next().is_none()
        && CATEGORIES.iter().any(|(major, minors)| {
            first == Some(*major) && second.is_none_or(|minor| minors.contains(minor))
        })
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[track_caller]
    fn check(pattern: &str, accepted: &[&str], refused: &[&str]) {
        let regex = translate(pattern).unwrap_or_else(|| panic!("{pattern} does not translate"));
        for text in accepted {
            assert!(regex.is_match(text), "{pattern} must accept {text:?}");
        }
        for text in refused {
            assert!(!regex.is_match(text), "{pattern} must refuse {text:?}");
        }
    }

    #[test]
    fn translated_patterns_accept_the_same() {
        check("a|b", &["a", "b"], &["", "ab", "a\n", "\na"]);
        check("", &[""], &["a"]);
        check("(a|)b{2,3}", &["abb", "bbb"], &["ab", "bbbb"]);
        check("x{2}y{0,}", &["xx", "xxyyy"], &["x"]);
        check("[a-c-]", &["b", "-"], &["d"]);
        check("[-a]", &["-", "a"], &["b"]);
        check("[^^]", &["a"], &["^"]);
        check("[a&&b~~c]", &["&", "~", "a", "b"], &["x"]);
        check(r"[\-\]\[]+", &["-[]"], &["a"]);
        check("^$", &["^$"], &[""]);
        check(r"\d+", &["12", "\u{663}"], &["a"]);
        check(r"[\d\s]", &["1", " "], &["\u{a0}", "x"]);
        check(r"\p{L}\p{Lu}", &["aB", "éÉ"], &["ab", "1B"]);
        check(r"\P{L}", &["1"], &["a"]);
        check(r"[\P{L}]", &["1"], &["a"]);
        check(r"\p{IsBasicLatin}*", &["az ~", ""], &["é"]);
        check(r"[\p{IsBasicLatin}\p{IsLatin-1Supplement}]", &["a", "é"], &["€"]);
        check(".", &["a", "é"], &["\n", "\r", "ab"]);
        check(r"a\.b", &["a.b"], &["axb"]);
        check("[+-/]", &["+", ",", "-", ".", "/"], &["0"]);
        check("#x", &["#x"], &["x"]);
        check("<a b>", &["<a b>"], &["ab"]);
        check(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", &["00:1A:2b:3c:4d:5e"], &["00:1A"]);
    }

    #[test]
    fn what_is_not_certain_is_not_translated() {
        for pattern in [
            r"\w",
            r"\i",
            r"\c",
            r"\W",
            r"\b",
            r"\1",
            r"\u0041",
            "[a-z-[aeiou]]",
            "a*?",
            "a++",
            "a{2}{3}",
            "a{,3}",
            "a{}",
            "a{x}",
            "a{2",
            "(a",
            "a)",
            "[a",
            "[]",
            "[^]",
            "*a",
            "a|*",
            "(?:a)",
            "(*x)",
            "a}",
            "]",
            r"\p{IsGreek}",
            r"\p{Latin}",
            r"\p{}",
            r"\pL",
            r"a\",
            "[z-a]",
            r"[a-\d]",
            "[a--z]",
            "((((a{1000}){1000}){1000}){1000}){1000}",
        ] {
            assert!(translate(pattern).is_none(), "{pattern}");
        }
    }
}
