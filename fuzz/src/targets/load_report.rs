//! Reports of hosts' loads: what a text says are numbers that weights can be made of.

use nuncio_ext_upstream::load_balancing_policies::client_side_weighted_round_robin::report::parse;

/// Takes a header's value.
pub fn run(bytes: &[u8]) {
    let Some(report) = parse(bytes) else { return };
    if bytes.starts_with(b"TEXT") {
        let named = report
            .utilization
            .values()
            .chain(report.named_metrics.values());
        let others = [report.cpu_utilization, report.rps_fractional, report.eps];
        let all = named.copied().chain(others);
        assert!(
            all.into_iter()
                .all(|number| number.is_finite() && number >= 0.0)
        );
        // It says nothing that has no name in texts.
        assert!(report.request_cost.is_empty() && report.rps == 0);
    }
    // The same bytes are the same report.
    assert_eq!(
        parse(bytes).map(|again| format!("{again:?}")),
        Some(format!("{report:?}"))
    );
}
