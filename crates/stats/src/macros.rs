//! `stat_group!`: a component's list of stats.

/// Declares a group of stats: a struct with one accessor per stat, to be used as
/// `stats.downstream_cx_total().inc()`. A name that is no identifier is given after `=`.
///
/// ```
/// nuncio_stats::stat_group! {
///     /// A listener's stats.
///     pub struct ListenerStats {
///         counters { downstream_cx_total, ssl_handshake = "ssl.handshake" }
///         gauges { downstream_cx_active }
///         histograms { downstream_cx_length_ms: Milliseconds }
///     }
/// }
/// let store = nuncio_stats::Store::default();
/// let group = store.scope("listener.127.0.0.1:80").group::<ListenerStats>();
/// let stats = group.local();
/// stats.ssl_handshake().inc();
/// stats.downstream_cx_active().inc();
/// stats.downstream_cx_length_ms().record(17);
/// assert_eq!(store.counter_value("listener.127.0.0.1_80.ssl.handshake"), Some(1));
/// ```
#[macro_export]
macro_rules! stat_group {
    (
        $(#[$meta:meta])*
        $vis:vis struct $group:ident {
            $(counters { $($counter:ident $(= $counter_name:literal)?),* $(,)? })?
            $(gauges { $($gauge:ident $(= $gauge_name:literal)?),* $(,)? })?
            $(histograms { $($histogram:ident $(= $histogram_name:literal)? : $unit:ident),* $(,)? })?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone)]
        $vis struct $group {
            cells: ::std::rc::Rc<<$group as $crate::StatGroup>::Cells>,
        }

        const _: () = {
            #[allow(non_camel_case_types, dead_code, reason = "some stats exist for their names")]
            enum Cell { $($($counter,)*)? $($($gauge,)*)? Count }
            #[allow(non_camel_case_types, dead_code, reason = "some stats exist for their names")]
            enum HistogramCell { $($($histogram,)*)? Count }

            impl $crate::StatGroup for $group {
                type Cells = $crate::LocalCells<
                    { Cell::Count as usize },
                    { HistogramCell::Count as usize },
                >;
                const SHAPE: $crate::GroupShape = $crate::GroupShape {
                    counters: &[$($($crate::stat_group!(@name $counter $($counter_name)?),)*)?],
                    gauges: &[$($($crate::stat_group!(@name $gauge $($gauge_name)?),)*)?],
                    histograms: &[$($((
                        $crate::stat_group!(@name $histogram $($histogram_name)?),
                        $crate::Unit::$unit,
                    ),)*)?],
                };
                fn from_cells(cells: ::std::rc::Rc<Self::Cells>) -> Self {
                    Self { cells }
                }
            }

            #[allow(dead_code, reason = "some stats exist for their names and never move")]
            impl $group {
                $($(
                    #[doc = concat!("Counter `", $crate::stat_group!(@name $counter $($counter_name)?), "`.")]
                    #[inline(always)]
                    $vis fn $counter(&self) -> $crate::Counter<'_> {
                        self.cells.counter(Cell::$counter as usize)
                    }
                )*)?
                $($(
                    #[doc = concat!("Gauge `", $crate::stat_group!(@name $gauge $($gauge_name)?), "`.")]
                    #[inline(always)]
                    $vis fn $gauge(&self) -> $crate::Gauge<'_> {
                        self.cells.gauge(Cell::$gauge as usize)
                    }
                )*)?
                $($(
                    #[doc = concat!("Histogram `", $crate::stat_group!(@name $histogram $($histogram_name)?), "`.")]
                    #[inline(always)]
                    $vis fn $histogram(&self) -> $crate::Histogram<'_> {
                        self.cells.histogram(HistogramCell::$histogram as usize)
                    }
                )*)?
            }
        };
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:literal) => { $name };
}
