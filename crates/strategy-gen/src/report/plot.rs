//! backtesting.py's own interactive chart, on a page where no other script can run.
//!
//! The page holds two scripts, both known here: Bokeh's, and the line that hands it the document to show. The policy
//! names each by its digest, so that a script from anywhere else does not run. The frame without an origin is a second
//! wall, should a script of Bokeh's ever do more than draw.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::escape::Text;
use super::page::GENERATOR;
use crate::backtest::Chart;

/// Shows the document.
const SHOW: &str =
    "Bokeh.embed.embed_item(JSON.parse(document.getElementById('document').textContent),'chart')";

/// The look of the pages that Bokeh writes.
const STYLE: &str = "html,body{box-sizing:border-box;display:flow-root;height:100%;margin:0;padding:0}\
    #chart{display:contents}";

/// A page around `chart`.
#[must_use]
pub fn plot(title: &str, chart: &Chart) -> String {
    let library = script_text(&chart.library);
    let frame = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><style>{STYLE}</style>\
         <script>{library}</script></head><body><div id=\"chart\"></div>\
         <script type=\"application/json\" id=\"document\">{}</script><script>{SHOW}</script></body></html>",
        // In JSON this character is part of a string, and may be written so.
        chart.document.replace('<', "\\u003c"),
    );
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\
         <meta http-equiv=\"x-dns-prefetch-control\" content=\"off\"><meta name=\"referrer\" content=\"no-referrer\">\
         <meta name=\"generator\" content=\"{GENERATOR}\"><link rel=\"icon\" href=\"data:,\"><title>{}</title>\
         <style>html,body,iframe{{margin:0;border:0;width:100%;height:100vh;display:block}}</style></head>\
         <body><iframe sandbox=\"allow-scripts allow-downloads\" srcdoc=\"{}\"></iframe></body></html>\n",
        policy(&[&library, SHOW]),
        Text(title),
        frame.replace('&', "&amp;").replace('"', "&quot;"),
    )
}

/// Allows these scripts, and nothing that goes anywhere. Bokeh's callbacks and formats are functions made from the text
/// of its document, which takes `'unsafe-eval'`; no script of anybody else's is there to make use of it.
fn policy(scripts: &[&str]) -> String {
    let digests: Vec<String> = scripts
        .iter()
        .map(|script| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script))))
        .collect();
    format!(
        "default-src 'none'; script-src {} 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; \
         font-src data:; connect-src 'none'; frame-src 'none'; worker-src 'none'; base-uri 'none'; \
         form-action 'none'",
        digests.join(" ")
    )
}

/// A script as a browser reads it, whose digest is therefore the digest of what is written.
fn script_text(script: &str) -> String {
    script.replace("\r\n", "\n").replace(['\r', '\0'], "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(library: &str, document: &str) -> String {
        plot("<b>", &Chart { library: library.into(), document: document.to_owned() })
    }

    #[test]
    fn the_document_is_no_markup() {
        let html = page("let a = \"&\"", "{\"a\":\"</script><img src=x>\"}");
        assert!(html.contains("<title>&lt;b&gt;</title>"), "{html}");
        assert!(html.contains("{&quot;a&quot;:&quot;\\u003c/script>\\u003cimg src=x>&quot;}"), "{html}");
        assert!(html.contains("<script>let a = &quot;&amp;&quot;</script>"), "{html}");
        assert_eq!(html.matches('"').count(), html.matches("=\"").count() * 2, "{html}");
    }

    #[test]
    fn a_script_runs_by_its_digest_alone() {
        let html = page("abc", "{}");
        // The well-known digest of `abc`.
        let digest = "'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='";
        assert!(html.contains(&format!("script-src {digest} 'sha256-")), "{html}");
        assert_eq!(html.matches("'sha256-").count(), 2);
        let scripts = html.split_once("script-src ").and_then(|(_, rest)| rest.split(';').next());
        assert!(!scripts.is_some_and(|scripts| scripts.contains("unsafe-inline")), "{html}");
        assert!(page("a\r\nb", "{}").contains("<script>a\nb</script>"));
    }
}
