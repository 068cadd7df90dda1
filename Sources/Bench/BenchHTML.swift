internal import Telemetry

extension BenchResult {
    private static let page = """
        body { margin: 2rem auto; max-width: 960px; padding: 0 1rem;
        font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; background: #ffffff; }
        .scroll { overflow-x: auto; }
        svg.vb { max-width: 100%; height: auto; }
        table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
        th, td { border-bottom: 1px solid #d1d9e0; padding: 3px 8px; text-align: right; }
        th:first-child, td:first-child { text-align: left; }
        .note { color: #59636e; font-size: 13px; margin: 2px 0; }
        .warning { font-weight: 600; }
        @media (prefers-color-scheme: dark) {
        body { color: #e6edf3; background: #0d1117; }
        th, td { border-color: #3d444d; }
        .note { color: #9198a1; }
        }

        """

    /// Charts and tables as one page that needs nothing else: no script, no font, no network.
    public var html: String {
        let view = BenchView(self)
        var page = Markup()
        page.nested("html", [("lang", "en")]) { html in
            html.nested("head") { head in
                head.element("meta", [("charset", "utf-8")])
                head.element(
                    "meta",
                    [("name", "viewport"), ("content", "width=device-width, initial-scale=1")])
                head.element("title", text: "vblktop bench")
                head.style(Self.page)
            }
            html.nested("body") { body in
                body.element("h1", text: "vblktop bench")
                body.element("p", text: view.machine)
                body.element(
                    "p", text: "\(iso8601(startedAt)), vblktop \(version). \(view.method)")
                if !isComplete {
                    body.element(
                        "p", [("class", "warning")],
                        text: "INCOMPLETE: ended before all runs were done")
                }
            }
        }
        var charts = svgFiles.map { "<div class=\"scroll\">\n\($0.text)</div>\n" }.joined()
        let tables = [points.isEmpty ? nil : view.why, view.scaling, view.shares, view.bands]
        for case let table? in tables { charts += Self.html(table) }
        var legend = Markup()
        for line in BenchView.legend { legend.element("p", [("class", "note")], text: line) }
        let end = "</body>\n</html>\n"
        return "<!DOCTYPE html>\n" + page.xml.dropLast(end.count) + charts + legend.xml + end
    }

    private static func html(_ table: ChartTable) -> String {
        var markup = Markup()
        markup.element("h2", text: table.title)
        markup.nested("div", [("class", "scroll")]) { box in
            box.nested("table") { body in
                body.nested("tr") { row in
                    for heading in table.headings { row.element("th", text: heading) }
                }
                for cells in table.rows {
                    body.nested("tr") { row in
                        for cell in cells { row.element("td", text: cell) }
                    }
                }
            }
        }
        for note in table.notes { markup.element("p", [("class", "note")], text: note) }
        return markup.xml
    }
}

extension BenchView {
    /// What the bands mean; nil where nothing was held against fio.
    fileprivate var bands: ChartTable? {
        guard !result.pairings.isEmpty else { return nil }
        return ChartTable(
            title: "Bands of the deck", headings: ["share of bare metal"],
            rows: ShareBand.allCases.map { [$0.meaning] })
    }
}
