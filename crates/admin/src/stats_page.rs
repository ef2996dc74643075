//! `/stats?format=html` and `active-html`: the stats below a form that asks for others.

use crate::commands::COMMANDS;
use crate::page;

/// Asks for the stats again and again, and shows first what changed most often.
const SCRIPT: &str = "<script>
  const changes = new Map();
  async function refresh() {
    const query = new URLSearchParams(location.search);
    query.set('format', 'json');
    const answer = await (await fetch('?' + query)).json();
    for (const {name, value} of answer.stats) {
      if (name === undefined) continue;
      const known = changes.get(name) ?? {value, count: 0};
      if (known.value !== value) known.count += 1;
      known.value = value;
      changes.set(name, known);
    }
    const order = ([a, x], [b, y]) => y.count - x.count || (a < b ? -1 : 1);
    const lines = [...changes].sort(order).slice(0, 50);
    const text = lines.map(([name, {value, count}]) => `${name}: ${value} (${count})`);
    document.getElementById('stats-text').textContent = text.join('\\n');
  }
  refresh();
  setInterval(refresh, 5000);
</script>
";

/// The page around the stats' text, which is escaped.
pub(crate) fn around(
    text: impl Iterator<Item = String> + 'static,
    given: &[(String, String)],
    is_active: bool,
) -> impl Iterator<Item = String> + 'static {
    let mut rows = String::new();
    if let Some(stats) = COMMANDS.iter().find(|command| command.path == "/stats") {
        page::filled(stats, given, &mut rows);
    }
    let head = page::begin(&rows) + "<pre id='stats-text'>\n";
    let script = if is_active { SCRIPT } else { "" };
    let end = format!("</pre>\n{script}{}", page::END);
    let text = text.map(|piece| page::escape(&piece));
    std::iter::once(head).chain(text).chain([end])
}
