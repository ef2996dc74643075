//! Keys that OpenSSL has written for these tests, and that nothing else uses.

use super::*;
use rustls::pki_types::pem::PemObject;

const PLAIN: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg0IbZ1Czs8HMFVruX
RhnbzCYcjNhmPWofj86hiNUOgfmhRANCAAQ47BOGCKsIsZFDbYOS5+1vOWab7gfv
Ifiq491e6ON/ihT4DyjNg6G97CzxaeVaKtNq5SN6JP1MWZvpL67H1hzh
-----END PRIVATE KEY-----
";

/// AES-256, SHA-256.
const NEW: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgaUSkZQ8GTCAICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEECLTaFzI16+pnxE8SbhRfmAEgZBh
gi1PmmMTjsvJXpaqvzqUGoQqgQN+NDP+dhAZWAejFHmIk7cuFrNH476tHVV22a+G
v4xtKiFBbBrlty0ojU/hvDDsYLH6Z2riyU5CyoU6kcMHp4+kC/DzyDhuLTcBUjLE
qJCfEne5lWzfuejq9G9w0tttCs+2JAQL8e5zvcz0ima/U22yFDkgYt1MBh/ZoAI=
-----END ENCRYPTED PRIVATE KEY-----
";

/// AES-128, SHA-1.
const OLD: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHeMEkGCSqGSIb3DQEFDTA8MBsGCSqGSIb3DQEFDDAOBAiwQWMXeBJfAgICCAAw
HQYJYIZIAWUDBAECBBAHDAwh5vdklHH1z8TCs5ZrBIGQEeFPaeRb+Yk+MOFFZpVi
SdbXXO0RMGebTSK6Hmn/yhiii7Ta/tRTgS1G84c5EOEv3FL8GbfprA6yxXtWE5Uc
gCV8oWm5JZaVhmHjUdqb+TUm9Qpvk0mIaIp7OQS9oTUWbcdWWbqHif/pjH03bu5W
F7ofwB8lsuirZv61hs1q0VYR+qytIGiVAb/7IsNCK/hd
-----END ENCRYPTED PRIVATE KEY-----
";

/// Triple DES.
const OLDER: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHjME4GCSqGSIb3DQEFDTBBMCkGCSqGSIb3DQEFDDAcBAjLjIBbvyOg4AICCAAw
DAYIKoZIhvcNAgkFADAUBggqhkiG9w0DBwQIzKf1o9Ok+7oEgZCJiY2erVp/gFBR
5K/y4WE2SqVDJfagpqe0mb1zZmKYQ0f/H9xhEqHMollmzKFeVWgKxFG3QUsVpk7M
4pJWSxDFy8ewXZQQOu/JPj0VFE+vpSOWUwZVDB7krtmw2/x08xt+q6EmqyGzB6zd
/kRV8xAD69+PgXHA5GKHSMnqQ2KcTyIDknf0AtHhQIJ7RVYjMVw=
-----END ENCRYPTED PRIVATE KEY-----
";

#[test]
fn keys_are_had_by_their_password() {
    let plain = PrivateKeyDer::from_pem_slice(PLAIN.as_bytes()).unwrap();
    assert!(!is_encrypted(PLAIN.as_bytes()));
    for pem in [NEW, OLD] {
        assert!(is_encrypted(pem.as_bytes()));
        let key = decrypt(pem.as_bytes(), b"secret").unwrap();
        assert_eq!(key.secret_der(), plain.secret_der());
        for (password, error) in [
            (&b"wrong"[..], KeyError::BadPassword),
            (b"", KeyError::NoPassword),
        ] {
            assert_eq!(decrypt(pem.as_bytes(), password), Err(error));
        }
    }
    let traditional = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n\
                       -----END EC PRIVATE KEY-----\n";
    assert!(is_encrypted(traditional.as_bytes()));
    for pem in [
        OLDER,
        traditional,
        "",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----",
    ] {
        let error = decrypt(pem.as_bytes(), b"secret").unwrap_err();
        assert_eq!(error, KeyError::Unsupported, "{pem}");
    }
}

#[test]
fn what_is_cut_short_or_changed_is_no_key() {
    let block = Pem::iter_from_buffer(NEW.as_bytes())
        .next()
        .unwrap()
        .unwrap();
    for at in 0..block.contents.len() {
        assert!(Encrypted::parse(&block.contents[..at]).is_none());
        let mut changed = block.contents.clone();
        changed[at] ^= 0x15;
        // Whatever it is taken for.
        let parsed = Encrypted::parse(&changed);
        assert!(parsed.is_none_or(|parsed| parsed.scheme.rounds.get() <= MOST_ROUNDS));
    }
}
