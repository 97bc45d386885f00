//! backtesting.py's own interactive chart, kept where it can reach nothing.
//!
//! The chart was drawn by a process that the strategy shared, so that any script may be in it. Here it lives in a
//! frame of its own without an origin: it may compute and draw, and neither ask for anything nor leave. What is left
//! to it: a browser that is told to leave, and then may not, has by then looked up the name of where it should go.

use super::escape::Text;
use super::page::GENERATOR;

/// What the chart's own script needs, and nothing that goes anywhere: it makes functions from text, and draws with
/// styles and with pictures out of memory.
const ALLOWED: &str = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; \
    img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'";

/// A page around `chart`, which is a whole page itself.
#[must_use]
pub fn plot(title: &str, chart: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{ALLOWED}\">\
         <meta http-equiv=\"x-dns-prefetch-control\" content=\"off\"><meta name=\"referrer\" content=\"no-referrer\">\
         <meta name=\"generator\" content=\"{GENERATOR}\"><link rel=\"icon\" href=\"data:,\"><title>{}</title>\
         <style>html,body,iframe{{margin:0;border:0;width:100%;height:100vh;display:block}}</style></head>\
         <body><iframe sandbox=\"allow-scripts\" srcdoc=\"{}\"></iframe></body></html>\n",
        Text(title),
        chart.replace('&', "&amp;").replace('"', "&quot;"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chart_stays_inside_its_frame() {
        let html = plot("<b>", "<p title=\"a\">&quot;></iframe>");
        assert!(html.contains("<title>&lt;b&gt;</title>"), "{html}");
        assert!(html.contains("srcdoc=\"<p title=&quot;a&quot;>&amp;quot;></iframe>\"></iframe>"), "{html}");
    }
}
