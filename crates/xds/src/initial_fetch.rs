//! A subscription that something waits for: it begins when the wait does.

use crate::subscriptions::Subscription;
use nuncio_extension::{InitTarget, InitTargets, ServerEnv};
use std::cell::OnceCell;
use std::rc::Rc;

/// A subscription, and the target that is ready with its first answer.
pub struct InitialFetch {
    target: Rc<InitTarget>,
    subscription: Rc<OnceCell<Subscription>>,
}

impl InitialFetch {
    /// A target of this name in `/init_dump`, whose subscription is made next.
    pub fn new(name: impl Into<String>) -> Self {
        let subscription: Rc<OnceCell<Subscription>> = Rc::default();
        let own = Rc::clone(&subscription);
        let start = move || {
            if let Some(subscription) = own.get() {
                subscription.start();
            }
        };
        Self {
            target: InitTarget::new(name, start),
            subscription,
        }
    }

    /// Holds the subscription, which begins with the target.
    pub fn hold(&self, subscription: Subscription) {
        if self.subscription.set(subscription).is_err() {
            nuncio_base::bug!("a target has one subscription");
        }
    }

    /// What is waited for.
    pub fn target(&self) -> &Rc<InitTarget> {
        &self.target
    }

    /// An answer came, but needs others, which begin now.
    pub fn ready_after(&self, env: &ServerEnv, others: InitTargets) {
        others.initialize();
        let target = Rc::clone(&self.target);
        match env.main() {
            Some(main) if !others.are_ready() => main.spawn(async move {
                others.wait().await;
                target.ready();
            }),
            _ => target.ready(),
        }
    }

    /// An answer came, or will not come.
    pub fn ready(&self) {
        self.target.ready();
    }
}
