//! Values that were replaced: main frees them once no worker has them. A route table of ten
//! thousand routes takes milliseconds to free, in which a worker would serve nobody.

use crate::timer::sleep_until;
use crate::worker::Worker;
use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long main waits before it looks again who still has what.
const PAUSE: Duration = Duration::from_millis(500);

type Value = Arc<dyn Any + Send + Sync>;

/// What waits to be freed: a service of main.
#[derive(Default)]
struct Retired(RefCell<Vec<Value>>);

/// Has `main`, the calling worker, free a value: when streams that are under way have ended.
pub fn retire(main: &Rc<Worker>, value: Value) {
    let retired = main.services().get_or_default::<Retired>();
    let mut values = retired.0.borrow_mut();
    values.push(value);
    if values.len() > 1 {
        // Somebody looks after them already.
        return;
    }
    drop(values);
    let worker = Rc::clone(main);
    main.spawn(async move {
        loop {
            sleep_until(&worker, worker.now() + PAUSE).await;
            let mut values = retired.0.borrow_mut();
            values.retain(|value| Arc::strong_count(value) > 1);
            if values.is_empty() {
                return;
            }
        }
    });
}
