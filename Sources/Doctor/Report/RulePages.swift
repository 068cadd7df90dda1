import Telemetry

extension Rule {
    /// Its page in docs/rules, in Markdown.
    public var page: String {
        var text = "# \(id)\n\n\(title.capitalizedFirst).\n\n"
        text += "| about | severity | appears | tier |\n|---|---|---|---|\n"
        text += "| \(scope.rawValue) | \(severities.map(\.rawValue).joined(separator: ", "))"
        text += " | \(timing.words) | \(tier.rawValue.uppercased()) |\n\n"
        text += section("When", condition)
        text += section("Not when", guards)
        text += section("Read from", evidence)
        text += section("Effect", effect)
        text += "## Fix\n\n"
        text += code("QEMU or host", remedy.qemu) + code("libvirt", remedy.libvirt)
        text += code("While it runs", remedy.live) + code("Verify", remedy.verify)
        if !causes.isEmpty {
            let links = causes.map { "[\($0)](\($0).md)" }.joined(separator: ", ")
            text += section(
                "Follows from", "Told as a consequence where one of these stands: \(links).")
        }
        return text.trimmedEnd + "\n"
    }

    private func section(_ title: String, _ text: String) -> String {
        text.isEmpty
            ? "" : "## \(title)\n\n" + folded(text, to: 100).joined(separator: "\n") + "\n\n"
    }

    private func code(_ label: String, _ text: String?) -> String {
        text.map { "\(label):\n\n```\n\($0)\n```\n\n" } ?? ""
    }

    /// The page that lists all rules.
    public static var index: String {
        var text = """
            # Rules

            What `vblktop doctor` looks for; `vblktop doctor --rules` prints the same. These pages \
            are made from the
            rules' declarations in `Sources/Doctor/Rules` by `make rules`.

            | rule | about | severity | what is wrong |
            |---|---|---|---|

            """
        for rule in all.sorted(by: { $0.id < $1.id }) {
            let severities = rule.severities.map(\.rawValue).joined(separator: ", ")
            text += "| [\(rule.id)](\(rule.id).md) | \(rule.scope.rawValue) | \(severities) "
            text += "| \(rule.title) |\n"
        }
        text += """

            ## The founding recommendations

            The KVM Forum 2013 talk that vblktop goes back to recommended these. What became of \
            each stands on the rules' pages.

            | recommendation | rules |
            |---|---|

            """
        for (row, words) in DeckRow.all {
            let rules = all.filter { $0.deck.contains(row) }.map { "[\($0.id)](\($0.id).md)" }
            text += "| \(words) | \(rules.joined(separator: ", ")) |\n"
        }
        return text
    }
}

extension Rule.Timing {
    /// When a finding appears and clears, in words.
    public var words: String {
        switch self {
        case .setting: "at once"
        case .load: "after 8 of 10 s, clears after 30 s"
        case .trend: "after 40 of 60 s, clears after 2 min"
        case .event: "at once, clears after 5 min"
        }
    }
}

extension String {
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }

    fileprivate var trimmedEnd: String {
        var text = self[...]
        while text.last?.isNewline == true { text = text.dropLast() }
        return String(text)
    }
}
