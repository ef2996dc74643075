//! Hashes whose values others rely on: which host a key goes to must be the same in every proxy.

const PRIMES: [u64; 5] = [
    0x9e37_79b1_85eb_ca87,
    0xc2b2_ae3d_27d4_eb4f,
    0x1656_67b1_9e37_79f9,
    0x85eb_ca77_c2b2_ae63,
    0x27d4_eb2f_1656_67c5,
];

/// XXH64 (the xxHash algorithm description, section "XXH64").
pub fn xx_hash64(text: &[u8], seed: u64) -> u64 {
    let (stripes, rest) = text.as_chunks::<32>();
    let mut hash = if stripes.is_empty() {
        seed.wrapping_add(PRIMES[4])
    } else {
        hash_stripes(stripes, seed)
    };
    hash = hash.wrapping_add(text.len() as u64);
    let (lanes, rest) = rest.as_chunks::<8>();
    for lane in lanes {
        hash = (hash ^ round(0, u64::from_le_bytes(*lane)))
            .rotate_left(27)
            .wrapping_mul(PRIMES[0])
            .wrapping_add(PRIMES[3]);
    }
    let (halves, rest) = rest.as_chunks::<4>();
    for half in halves {
        let half = u64::from(u32::from_le_bytes(*half));
        hash = (hash ^ half.wrapping_mul(PRIMES[0]))
            .rotate_left(23)
            .wrapping_mul(PRIMES[1])
            .wrapping_add(PRIMES[2]);
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte).wrapping_mul(PRIMES[4]))
            .rotate_left(11)
            .wrapping_mul(PRIMES[0]);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(PRIMES[1]);
    hash = (hash ^ (hash >> 29)).wrapping_mul(PRIMES[2]);
    hash ^ (hash >> 32)
}

fn hash_stripes(stripes: &[[u8; 32]], seed: u64) -> u64 {
    let mut sums = [
        seed.wrapping_add(PRIMES[0]).wrapping_add(PRIMES[1]),
        seed.wrapping_add(PRIMES[1]),
        seed,
        seed.wrapping_sub(PRIMES[0]),
    ];
    for stripe in stripes {
        let (lanes, _) = stripe.as_chunks::<8>();
        for (sum, lane) in sums.iter_mut().zip(lanes) {
            *sum = round(*sum, u64::from_le_bytes(*lane));
        }
    }
    let [a, b, c, d] = sums;
    let mut hash = a
        .rotate_left(1)
        .wrapping_add(b.rotate_left(7))
        .wrapping_add(c.rotate_left(12))
        .wrapping_add(d.rotate_left(18));
    for sum in sums {
        hash = (hash ^ round(0, sum))
            .wrapping_mul(PRIMES[0])
            .wrapping_add(PRIMES[3]);
    }
    hash
}

const fn round(sum: u64, lane: u64) -> u64 {
    sum.wrapping_add(lane.wrapping_mul(PRIMES[1]))
        .rotate_left(31)
        .wrapping_mul(PRIMES[0])
}

/// 64-bit MurmurHash2 as `std::hash` of GNU's C++ library has it, with its seed.
pub fn murmur_hash2(text: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
    const SEED: u64 = 0xc70f_6907;
    let mix = |value: u64| value ^ (value >> 47);
    let mut hash = SEED ^ (text.len() as u64).wrapping_mul(MULTIPLIER);
    let (lanes, rest) = text.as_chunks::<8>();
    for lane in lanes {
        let lane = u64::from_le_bytes(*lane).wrapping_mul(MULTIPLIER);
        hash = (hash ^ mix(lane).wrapping_mul(MULTIPLIER)).wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let bytes = rest.iter().rev();
        let last = bytes.fold(0, |sum: u64, byte| (sum << 8) | u64::from(*byte));
        hash = (hash ^ last).wrapping_mul(MULTIPLIER);
    }
    mix(mix(hash).wrapping_mul(MULTIPLIER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        for (text, expected) in [
            ("", 0xef46_db37_51d8_e999),
            ("a", 0xd24e_c4f1_a98c_6e5b),
            ("abc", 0x44bc_2cf5_ad77_0999),
            (
                "Nobody inspects the spammish repetition",
                0xfbce_a83c_8a37_8bf1,
            ),
        ] {
            assert_eq!(xx_hash64(text.as_bytes(), 0), expected, "{text}");
        }
        // What `std::hash<std::string>` gives.
        for (text, expected) in [
            ("", 6_142_509_188_972_423_790),
            ("hello", 2_762_169_579_135_187_400),
            ("hello world of hashes", 17_641_305_856_202_842_941),
        ] {
            assert_eq!(murmur_hash2(text.as_bytes()), expected, "{text}");
        }
    }
}
