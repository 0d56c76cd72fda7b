//! From what somebody typed to an FTS5 expression that is always well-formed.
//!
//! Every word goes in as a quoted string, in which FTS5 knows one special character, the quote itself;
//! what separates words inside of it is decided by the tokenizer, the same that indexed the text.

/// `None` when there is nothing to look for.
pub(super) fn parse(typed: &str, conversation: Option<&[u8]>) -> Option<String> {
    let phrases = phrases(typed);
    let (last, finished) = phrases.split_last()?;
    let mut expression = format!("{{{SEARCHED}}} : (");
    for phrase in finished {
        // Neighbours without an operator between them must all occur, and one that holds nothing to
        // look for is left out of it, which an explicit AND would not do.
        push_quoted(&mut expression, &phrase.text);
        expression.push(' ');
    }
    push_quoted(&mut expression, &last.text);
    if !last.is_whole() {
        expression.push('*');
    }
    expression.push(')');
    if let Some(conversation) = conversation {
        expression.push_str(" AND conversation : ");
        push_quoted(&mut expression, &hex::encode(conversation));
    }
    Some(expression)
}

struct Phrase {
    text: String,
    /// Ended by a quote.
    closed: bool,
}

impl Phrase {
    /// Not the beginning of something longer. One letter begins so many words that finding them all
    /// takes longer than typing the next; in scripts that write without spaces it may be a word.
    fn is_whole(&self) -> bool {
        let mut letters = self.text.chars().filter(|typed| typed.is_alphanumeric());
        self.closed
            || (letters.next().is_some_and(|one| one.is_ascii()) && letters.next().is_none())
    }
}

fn phrases(typed: &str) -> Vec<Phrase> {
    let mut phrases = Vec::new();
    let mut text = String::new();
    let mut quoted = false;
    for typed in typed.chars().take(MOST_CHARACTERS) {
        let quote = QUOTES.contains(&typed);
        if quote || (typed.is_whitespace() && !quoted) {
            push_phrase(&mut phrases, &mut text, quote && quoted);
            quoted ^= quote;
        } else {
            // The expression ends at the first NUL for SQLite; no control character is part of a word.
            text.push(if typed.is_control() { ' ' } else { typed });
        }
    }
    push_phrase(&mut phrases, &mut text, false);
    phrases.truncate(MOST_PHRASES);
    phrases
}

fn push_phrase(phrases: &mut Vec<Phrase>, text: &mut String, closed: bool) {
    let text = std::mem::take(text);
    if text.chars().any(char::is_alphanumeric) {
        phrases.push(Phrase { text, closed });
    }
}

fn push_quoted(expression: &mut String, text: &str) {
    expression.push('"');
    // The quotes a person types end a phrase and are never part of one.
    expression.push_str(&text.replace('"', "\"\""));
    expression.push('"');
}

/// The columns in which words are looked for.
const SEARCHED: &str = "text title patient sender";
/// What keyboards and languages have for a quote.
const QUOTES: [char; 7] = ['"', '“', '”', '„', '‟', '«', '»'];
/// More than anybody types; what follows is left out, which finds more and not less.
const MOST_PHRASES: usize = 32;
const MOST_CHARACTERS: usize = 1024;
