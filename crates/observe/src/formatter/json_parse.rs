//! Reads the JSON that stands in a command's parameters.

use nuncio_base::metadata::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How deep values may be nested.
const MAX_DEPTH: usize = 32;

/// Parses one JSON value (RFC 8259). The error says where and why.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at < text.len() {
        return Err(reader.error("expected end of input"));
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn error(&self, why: &str) -> String {
        format!(
            "JSON supplied is not valid. Error(line 1, column {}): {why}",
            self.at + 1
        )
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    /// Goes past `token`, if it comes next.
    fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err(self.error("nested too deeply"));
        }
        if self.eat("{") {
            return self.object(depth);
        }
        if self.eat("[") {
            return self.list(depth);
        }
        if self.eat("\"") {
            return self.string().map(|text| Value::Text(text.into()));
        }
        for (word, value) in [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
        ] {
            if self.eat(word) {
                return Ok(value);
            }
        }
        self.number()
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        let mut fields = BTreeMap::new();
        if !self.eat("}") {
            loop {
                if !self.eat("\"") {
                    return Err(self.error("expected a field name"));
                }
                let name = self.string()?;
                if !self.eat(":") {
                    return Err(self.error("expected ':'"));
                }
                fields.insert(name, self.value(depth + 1)?);
                if self.eat("}") {
                    break;
                }
                if !self.eat(",") {
                    return Err(self.error("expected ',' or '}'"));
                }
            }
        }
        Ok(Value::Struct(Arc::new(fields)))
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        if !self.eat("]") {
            loop {
                items.push(self.value(depth + 1)?);
                if self.eat("]") {
                    break;
                }
                if !self.eat(",") {
                    return Err(self.error("expected ',' or ']'"));
                }
            }
        }
        Ok(Value::List(items.into()))
    }

    fn number(&mut self) -> Result<Value, String> {
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let rest = self.rest();
        let len = rest.len() - rest.trim_start_matches(is_part).len();
        match rest[..len].parse::<f64>() {
            Ok(number) if number.is_finite() => {
                self.at += len;
                Ok(Value::Number(number))
            }
            _ => Err(self.error("syntax error while parsing value")),
        }
    }

    /// The rest of a string whose opening quote is behind us.
    fn string(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            let Some(next) = self.rest().chars().next() else {
                return Err(self.error("missing closing quote"));
            };
            self.at += next.len_utf8();
            match next {
                '"' => return Ok(text),
                '\\' => text.push(self.escape()?),
                '\0'..' ' => return Err(self.error("control character must be escaped")),
                _ => text.push(next),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let Some(kind) = self.rest().chars().next() else {
            return Err(self.error("missing closing quote"));
        };
        self.at += kind.len_utf8();
        Ok(match kind {
            '"' | '\\' | '/' => kind,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.code_point(),
            _ => return Err(self.error("forbidden character after backslash")),
        })
    }

    fn code_point(&mut self) -> Result<char, String> {
        let high = self.code_unit()?;
        let code = if (0xd800..0xdc00).contains(&high) {
            if !self.rest().starts_with("\\u") {
                return Err(self.error("surrogate must be followed by another"));
            }
            self.at += 2;
            let low = self.code_unit()?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(self.error("surrogate must be followed by another"));
            }
            0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
        } else {
            high
        };
        char::from_u32(code).ok_or_else(|| self.error("no such character"))
    }

    fn code_unit(&mut self) -> Result<u32, String> {
        let unit = self
            .rest()
            .get(..4)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.error("'\\u' must be followed by 4 hex digits"))?;
        self.at += 4;
        Ok(unit)
    }
}
