//! Layers, what they merge to and what `/runtime` shows. Texts are those that Envoy 1.40 gave.

use nuncio_base::runtime_flags::Fraction;
use nuncio_extension::server_env::NodeInfo;
use nuncio_extension::{ParseCx, Registry, ServerEnv};
use nuncio_proto::envoy::config::bootstrap::v3::LayeredRuntime;
use nuncio_proto::{Format, load};
use nuncio_stats::Store;

use super::{LayerSpec, NoAdminLayer, RuntimeLoader, layers};

static REGISTRY: Registry = Registry {
    access_loggers: &[],
    downstream_sockets: &[],
    health_check_sinks: &[],
    http_filters: &[],
    listener_filters: &[],
    load_balancers: &[],
    network_filters: &[],
    upstream_sockets: &[],
};

fn parse(yaml: &str) -> Result<Vec<LayerSpec>, Vec<String>> {
    let message = load::message_of::<LayeredRuntime>().unwrap();
    let loaded = load::text("", yaml, Format::Yaml, message, &Default::default())
        .unwrap_or_else(|errors| panic!("{errors}"));
    let proto: LayeredRuntime = loaded.decode().unwrap();
    let (store, node) = (Store::default(), NodeInfo::default());
    let mut cx = ParseCx::new(ServerEnv::new(&REGISTRY, store, Vec::new(), node, true));
    let layers = layers(&mut cx, Some(&proto), "cluster");
    layers.map_err(|_| {
        let errors = cx.finish().0.into_iter();
        errors.map(|error| error.message).collect()
    })
}

#[test]
fn layers_are_read_or_refused() {
    for (yaml, expected) in [
        (
            "layers: [{name: a, admin_layer: {}}, {name: b, admin_layer: {}}]",
            "Too many admin layers specified in LayeredRuntime, at most one may be specified",
        ),
        (
            "layers: [{name: a, admin_layer: {}}, {name: a, static_layer: {}}]",
            "Duplicate layer name: a",
        ),
        (
            "layers: [{name: a, static_layer: {x: {y: [1]}}}]",
            "Invalid runtime entry value for x.y",
        ),
        (
            "layers: [{name: a, disk_layer: {subdirectory: /x}}]",
            "invalid file path ",
        ),
        (
            "layers: [{name: a, rtds_layer: {name: x, rtds_config: {self: {}}}}]",
            "Missing config source specifier in envoy::config::core::v3::ConfigSource",
        ),
    ] {
        assert_eq!(parse(yaml).unwrap_err(), [expected], "{yaml}");
    }
    assert_eq!(parse("{}").unwrap()[0].name, "");
}

#[test]
fn merging_modifying_and_showing() {
    let specs = parse(
        "layers:
        - {name: base, static_layer: {half: 0, flag: false, nested: {deep: {key: 5}}, text: hello,
           share: {numerator: 3, denominator: TEN_THOUSAND}, none: {}}}
        - {name: top, static_layer: {flag: true}}
        - {name: adm, admin_layer: {}}",
    )
    .unwrap();
    let store = Store::default();
    let mut loader = RuntimeLoader::new(specs, &store.root());
    let all = Fraction::ALL;
    let flags = loader.flags().clone();
    assert_eq!(flags.integer("nested.deep.key", 0), 5);
    assert!(flags.boolean("flag", false));
    assert_eq!(flags.fraction("half", all).numerator, 0);
    assert_eq!(flags.fraction("share", all).denominator, 10_000);
    let changes = [
        ("half", "100"),
        ("other", "7"),
        ("json", "{\"numerator\": 9}"),
        ("no", ""),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()));
    loader.modify(&changes).unwrap();
    let flags = loader.flags();
    assert_eq!(flags.fraction("half", all).numerator, 100);
    assert_eq!(flags.fraction("json", all).numerator, 9);
    let view = loader.view();
    assert_eq!(view.layers, ["base", "top", "adm"]);
    let shown: Vec<_> = view
        .entries
        .iter()
        .map(|(key, texts)| format!("{key}={}", texts.join("|")))
        .collect();
    assert_eq!(
        shown,
        [
            "flag=false|true|",
            "half=0||100",
            "json=||{\"numerator\": 9}",
            "nested.deep.key=5||",
            "none=||",
            "other=||7",
            "share=fields {\n  key: \"denominator\"\n  value {\n    string_value: \
             \"TEN_THOUSAND\"\n  }\n}\nfields {\n  key: \"numerator\"\n  value {\n    \
             number_value: 3\n  }\n}\n||",
            "text=hello||",
        ]
    );
    for (name, expected) in [
        ("runtime.num_keys", 8),
        ("runtime.num_layers", 3),
        ("runtime.admin_overrides_active", 1),
    ] {
        assert_eq!(store.gauge_value(name), Some(expected), "{name}");
    }
    for (name, expected) in [
        ("runtime.load_success", 3),
        ("runtime.override_dir_not_exists", 3),
        ("runtime.override_dir_exists", 0),
    ] {
        assert_eq!(store.counter_value(name), Some(expected), "{name}");
    }
    let changes = ["half", "other", "json"].map(|key| (key.to_owned(), String::new()));
    loader.modify(&changes).unwrap();
    assert_eq!(store.gauge_value("runtime.admin_overrides_active"), Some(0));
    assert_eq!(loader.flags().fraction("half", all).numerator, 0);
}

#[test]
fn without_an_admin_layer_nothing_changes() {
    let specs = parse("layers: [{name: base, static_layer: {a: 1}}]").unwrap();
    let mut loader = RuntimeLoader::new(specs, &Store::default().root());
    assert_eq!(loader.modify(&[]), Err(NoAdminLayer));
}
