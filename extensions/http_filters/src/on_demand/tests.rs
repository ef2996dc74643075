//! What may be configured.

use super::OnDemand;
use crate::testing::{errors, route_errors};

#[test]
fn clusters_on_demand_are_refused() {
    let odcds = "{odcds: {source: {ads: {}, resource_api_version: V3}}}";
    for found in [errors(&OnDemand, odcds), route_errors(&OnDemand, odcds)] {
        assert!(
            found.contains("odcds: odcds is not supported by this build"),
            "{found}"
        );
    }
}
