//! Calls through a chain, and what is counted.

use super::GrpcStats;
use super::messages::MessageCounter;
use crate::testing::Script;
use nuncio_base::Buffer;

#[test]
fn messages_are_counted_where_they_begin() {
    let body = [
        &[0, 0, 0, 0, 2, 9, 9][..],
        &[0; 5],
        &[1, 0, 0, 1, 0],
        &[7; 256],
    ]
    .concat();
    for step in [1, 2, 3, 7, 300] {
        let mut counter = MessageCounter::default();
        let pieces = body.chunks(step).map(|piece| Buffer::from(piece.to_vec()));
        let sum: u64 = pieces.map(|piece| counter.inspect(&piece)).sum();
        assert_eq!((sum, counter.count), (3, 3));
    }
}

#[test]
fn what_is_counted() {
    for (config, path, stats) in [
        ("{stats_for_all_methods: true}", "/p.S/M", "p.S.M."),
        (
            "{stats_for_all_methods: true, replace_dots_in_grpc_service_name: true}",
            "/p.S/M?q",
            "p_S.M.",
        ),
        ("{}", "/p.S/M", ""),
        (
            "{individual_method_stats_allowlist: {services: [{name: p.S, method_names: [M]}]}}",
            "/p.S/M",
            "p.S.M.",
        ),
        (
            "{individual_method_stats_allowlist: {services: [{name: p.S, method_names: [M]}]},
              replace_dots_in_grpc_service_name: true}",
            "/p.S/M",
            "p.S.M.",
        ),
        (
            "{individual_method_stats_allowlist: {services: [{name: p.S, method_names: [M]}]}}",
            "/p.S/N",
            "",
        ),
    ] {
        let outcome = Script::new()
            .filter(&GrpcStats, config)
            .cluster("c", 1)
            .request(&[(":path", path), ("content-type", "application/grpc")])
            .body(&["\0\0\0\0\x02hi\0", "\0\0\0\0"])
            .answer(
                &[(":status", "200"), ("content-type", "application/grpc")],
                &["\0\0\0\0\x01x"],
            )
            .answer_trailers(&[("grpc-status", "7")])
            .run();
        for (name, value) in [
            ("7", 1),
            ("failure", 1),
            ("success", 0),
            ("total", 1),
            ("request_message_count", 2),
            ("response_message_count", 1),
        ] {
            let full = format!("cluster.c.grpc.{stats}{name}");
            assert_eq!(outcome.stat(&full), value, "{config} {full}");
        }
    }
}

#[test]
fn what_is_no_call() {
    let outcome = Script::new()
        .filter(&GrpcStats, "{stats_for_all_methods: true}")
        .cluster("c", 1)
        .request(&[
            (":path", "/p.S/M"),
            ("content-type", "application/grpc-web"),
        ])
        .answer(&[(":status", "200"), ("grpc-status", "0")], &[])
        .run();
    assert_eq!(outcome.stat("cluster.c.grpc.p.S.M.total"), 0);
}
