//! A small mutator for the runner: inputs of the corpus, changed and crossed at random.

/// Pseudo-random numbers (SplitMix64): the same seed gives the same inputs.
pub struct Random(pub u64);

impl Random {
    /// The next one.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.number() % limit as u64) as usize
    }
}

/// Inputs are not made longer than this many bytes.
const LONGEST: usize = 8 * 1024;

/// Bytes that mean something to most parsers.
const TELLING: &[u8] = b"\0\t\n\r \"#$%&'()*+,-./0:;<=>?@[\\]^_{|}~\x7f\x80\xff";

/// A new input out of those of the corpus.
pub fn mutate(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = match corpus {
        [] => Vec::new(),
        corpus => corpus[random.below(corpus.len())].clone(),
    };
    for _ in 0..1 + random.below(6) {
        change(&mut input, corpus, random);
    }
    input.truncate(LONGEST);
    input
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let to = at + random.below(input.len() - at + 1);
    match random.below(8) {
        0 => drop(input.drain(at..to.min(at + 16))),
        1 => input.insert(at, TELLING[random.below(TELLING.len())]),
        2 => input.insert(at, random.number() as u8),
        3 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        4 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = TELLING[random.below(TELLING.len())];
            }
        }
        // A piece of it again.
        5 => {
            let piece = input[at..to].to_vec();
            let behind = random.below(input.len() + 1);
            input.splice(behind..behind, piece);
        }
        // A piece of another.
        6 if !corpus.is_empty() => {
            let other = &corpus[random.below(corpus.len())];
            let from = random.below(other.len() + 1);
            let count = random.below(other.len() - from + 1).min(64);
            input.splice(at..at, other[from..from + count].iter().copied());
        }
        _ => input.truncate(to),
    }
}
