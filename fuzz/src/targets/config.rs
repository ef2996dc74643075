//! Config files in every format: loaded, or refused with errors that stand in the file.

use nuncio_proto::envoy::config::bootstrap::v3::Bootstrap;
use nuncio_proto::load::{self, message_of};
use nuncio_proto::{ConfigErrors, Format, Loaded, Options, UnknownFields, json};

/// Takes a file; its first byte chooses format and options.
pub fn run(data: &[u8]) {
    let Some((choice, content)) = data.split_first() else {
        return;
    };
    let format = match choice & 3 {
        0 => Format::Yaml,
        1 => Format::Json,
        2 => Format::TextProto,
        _ => Format::Binary,
    };
    let unknown = if choice & 4 == 4 {
        UnknownFields::Ignore
    } else {
        UnknownFields::Reject
    };
    let options = Options {
        unknown,
        ..Options::default()
    };
    match load(content, format, &options) {
        Ok(loaded) => {
            // Binary files may hold what the checks take for fields of another version.
            let decoded = loaded.decode::<Bootstrap>().is_ok();
            if !decoded && format == Format::Binary {
                return;
            }
            assert!(decoded, "checked, and no Bootstrap");
            print_and_load(&loaded, &options);
        }
        Err(errors) => {
            // YAML ends lines by either.
            let lines = content
                .iter()
                .filter(|byte| matches!(byte, b'\n' | b'\r'))
                .count()
                + 1;
            assert!(!errors.errors.is_empty(), "refused for no reason");
            for error in &errors.errors {
                assert!(!error.message.is_empty());
                let line = error.location.as_ref().map_or(1, |location| location.line);
                assert!(
                    (1..=lines + 1).contains(&(line as usize)),
                    "line {line} of {lines}"
                );
            }
        }
    }
}

fn load(content: &[u8], format: Format, options: &Options) -> Result<Loaded, ConfigErrors> {
    let message = message_of::<Bootstrap>().expect("the tables have it");
    load::read("fuzz", content.to_vec(), format, message, options).check()
}

/// What the admin shows of a config is the same config.
fn print_and_load(loaded: &Loaded, options: &Options) {
    let print =
        |loaded: &Loaded| json::print(&loaded.bytes, loaded.message, &json::Options::default());
    let printed = print(loaded);
    let again = match load(printed.as_bytes(), Format::Json, options) {
        Ok(again) => again,
        Err(errors) => panic!("{printed}\nis refused: {errors}"),
    };
    assert_eq!(print(&again), printed);
}
