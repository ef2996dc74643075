//! `/logging`: shows and changes the levels of loggers.

use nuncio_base::log;
use nuncio_base::log::{Level, Logger, logger};

use crate::{AdminResponse, Call};

const USAGE: &str = "usage: /logging?<name>=<level> (change single level)\n\
    usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\n\
    usage: /logging?level=<level> (change all levels)\n\
    usage: /logging?group=<group_name>:<level> (change group of loggers)\n";

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    let changed = change(&call.parameters());
    let mut out = String::new();
    if let Err(text) = changed {
        out.push_str(&format!("error: {text}\n\n{USAGE}levels: "));
        for level in Level::ALL {
            out.push_str(level.name());
            out.push(' ');
        }
        out.push('\n');
    }
    out.push_str("active loggers:\n");
    for logger in logger::ALL {
        out.push_str(&format!("  {}: {}\n", logger.name(), logger.level().name()));
    }
    out.push('\n');
    match changed {
        Ok(()) => AdminResponse::text(out),
        Err(_) => AdminResponse::error(400, out),
    }
}

fn change(parameters: &[(String, String)]) -> Result<(), &'static str> {
    // The home page's form sends what was left empty too; of a repeated name the first counts.
    let mut given: Vec<(&str, &str)> = Vec::new();
    for (name, value) in parameters {
        if !given.iter().any(|(known, _)| known == name) {
            given.push((name, value));
        }
    }
    given.retain(|(_, value)| !value.is_empty());
    match given[..] {
        [] => Ok(()),
        [("level", value)] => {
            let level = level(value)?;
            logger::set_all(level);
            log!(
                logger::MISC,
                Level::Info,
                "change all log levels: level='{}'",
                level.name()
            );
            Ok(())
        }
        [("group", _)] => Err("group parameter requires fine-grain logging to be enabled"),
        [("paths", value)] => {
            let pairs = value.split(',').filter(|pair| !pair.trim().is_empty());
            let pairs = pairs.map(|pair| match pair.split_once(':') {
                Some((name, level)) if !name.is_empty() && !level.is_empty() => Ok((name, level)),
                _ => Err("empty logger name or empty logger level"),
            });
            set(pairs.collect::<Result<_, _>>()?)
        }
        [pair] => set(vec![pair]),
        _ => Err("invalid number of parameters"),
    }
}

/// Sets levels, all or none: levels are checked first, then names.
fn set(pairs: Vec<(&str, &str)>) -> Result<(), &'static str> {
    let levels: Vec<Level> = pairs
        .iter()
        .map(|(_, name)| level(name))
        .collect::<Result<_, _>>()?;
    let loggers: Vec<&Logger> = pairs
        .iter()
        .map(|(name, _)| logger::named(name).ok_or("unknown logger name"))
        .collect::<Result<_, _>>()?;
    for (logger, level) in loggers.into_iter().zip(levels) {
        logger.set_level(level);
        log!(
            logger::ADMIN,
            Level::Info,
            "change log level: name='{}' level='{}'",
            logger.name(),
            level.name()
        );
    }
    Ok(())
}

/// The level of that name; unlike on the command line, `warn` is none.
fn level(name: &str) -> Result<Level, &'static str> {
    let mut levels = Level::ALL.into_iter();
    levels
        .find(|level| level.name() == name)
        .ok_or("unknown logger level")
}
