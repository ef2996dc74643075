//! Loads every config of the corpus, where it is at hand: none may panic or hang, and the verdicts
//! that show at the level of protos must be Envoy's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nuncio_proto::{Options, load, reflect};

fn corpus() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let places = ["../shared/corpus", "../../shared/corpus"];
    places
        .iter()
        .map(|place| workspace.join(place))
        .find(|path| path.is_dir())
}

/// Classes whose configs no proto can hold.
const REFUSED: &[&str] = &[
    "json_proto_parse",
    "pgv_constraint",
    "unknown_field",
    "v1_api",
    "v2_api",
];

#[test]
fn verdicts_are_envoys() {
    let Some(corpus) = corpus() else {
        eprintln!("no corpus beside the workspace: not run");
        return;
    };
    let labels = std::fs::read_to_string(corpus.join("labels.tsv")).unwrap();
    let bootstrap = reflect::message("envoy.config.bootstrap.v3.Bootstrap").unwrap();
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for line in labels.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, variant, verdict, class, error] = columns[..] else {
            panic!("{line}")
        };
        let folder = if variant == "orig" {
            "configs"
        } else {
            "fixed"
        };
        let path = corpus.join(folder).join(file);
        let loaded = load::file(&path, bootstrap, &Options::default());
        let count = counts.entry(class).or_default();
        count.1 += 1;
        count.0 += usize::from(loaded.is_ok());
        // Refused for the version that it names, which is a matter of meaning.
        let semantic = file.starts_with("miekg__xds__");
        match (
            &loaded,
            verdict == "accept",
            REFUSED.contains(&class) && !semantic,
        ) {
            (Err(errors), true, _) => wrong.push(format!("{path:?} is refused: {errors}")),
            (Ok(_), _, true) => wrong.push(format!("{path:?} is loaded ({class}): {error}")),
            _ => {}
        }
    }
    for (class, (loaded, all)) in counts {
        println!("{class}: {loaded} of {all} load at the level of protos");
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
