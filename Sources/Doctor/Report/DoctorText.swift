import Telemetry

extension DoctorReport {
    /// The report for people, lines of at most `width` columns where words allow: what stands, the
    /// worst first, each rule once with whom it concerns; then what could not be checked.
    public func text(width: Int = 100) -> String {
        var page = TextPage(width: width)
        page.line(patient + (watched > 0 ? ", watched for \(figures(watched)) s" : ""))
        for severity in Finding.Severity.allCases.reversed() {
            let groups = Self.groups(examination.findings.filter { $0.severity == severity })
            guard !groups.isEmpty else { continue }
            page.line("")
            page.line(severity.rawValue.uppercased())
            for group in groups { page.put(group) }
        }
        put(cleared: examination.cleared, on: &page)
        putUnchecked(on: &page)
        page.line("")
        page.field("", "", summary)
        return page.text
    }

    private var summary: String {
        let counts = Finding.Severity.allCases.reversed().compactMap { severity -> String? in
            let count = examination.findings.count { $0.severity == severity }
            return count == 0 ? nil : "\(count) \(severity.rawValue)"
        }
        let found = counts.isEmpty ? "no findings" : counts.joined(separator: ", ")
        return "\(found); \(examination.healthyCount) checks without one; "
            + "\(Set(examination.unchecked.map(\.rule)).count) rules not checked everywhere. "
            + "`vblktop doctor --rules` explains them."
    }

    /// Findings of one rule and cause, in the order given.
    private static func groups(_ findings: [Finding]) -> [[Finding]] {
        var (groups, places): ([[Finding]], [String: Int]) = ([], [:])
        for finding in findings {
            let key = finding.rule + "\u{0}" + (finding.cause ?? "")
            if let place = places[key] {
                groups[place].append(finding)
            } else {
                places[key] = groups.count
                groups.append([finding])
            }
        }
        return groups
    }

    private func put(cleared: [Finding], on page: inout TextPage) {
        guard !cleared.isEmpty else { return }
        page.line("")
        page.line("CLEARED")
        for finding in cleared {
            page.field("  ", "", "\(finding.rule)  \(finding.title)  \(finding.scope)")
        }
    }

    private func putUnchecked(on page: inout TextPage) {
        guard !examination.unchecked.isEmpty else { return }
        page.line("")
        page.line("NOT CHECKED")
        // Many rules lack the same thing: each reason once.
        var (reasons, rules): ([String], [String: [String]]) = ([], [:])
        for entry in examination.unchecked {
            if rules[entry.reason] == nil { reasons.append(entry.reason) }
            rules[entry.reason, default: []].append(entry.rule)
        }
        for reason in reasons.sorted() {
            page.field("  ", "", reason)
            page.field("      ", "", (rules[reason] ?? []).joined(separator: ", "))
        }
    }
}

/// Lines of a report.
private struct TextPage {
    let width: Int
    private(set) var text = ""
    /// Findings of one rule that are told one by one.
    private static let detailLimit = 8

    init(width: Int) { self.width = max(40, width) }

    mutating func line(_ line: String) { text += line + "\n" }

    /// What one rule found.
    mutating func put(_ findings: [Finding]) {
        guard let first = findings.first else { return }
        field("  ", "", "\(first.rule)  \(first.title)")
        if let cause = first.cause { field("    ", "because of", cause) }
        field("    ", "on", list(findings.map(\.scope), limit: 12))
        let evidence = Set(findings.map(\.evidence))
        if evidence.count == 1 {
            field("    ", "seen", first.evidence)
        } else {
            for finding in findings.prefix(Self.detailLimit) {
                field("    ", "seen", "\(finding.scope): \(finding.evidence)")
            }
            if findings.count > Self.detailLimit {
                field("    ", "", "and \(findings.count - Self.detailLimit) more (--json has all)")
            }
        }
        field("    ", "read from", first.sources.joined(separator: ", "))
        if let effect = first.effect { field("    ", "effect", effect) }
        let remedies = Set(findings.map(\.remedy.words))
        let remedy = first.remedy
        field("    ", "QEMU", remedy.qemu ?? "")
        field("    ", "libvirt", remedy.libvirt ?? "")
        field("    ", "live", remedy.live ?? "")
        field("    ", "verify", remedy.verify ?? "")
        if remedies.count > 1 {
            field("    ", "", "for \(first.scope); others likewise (--json has all)")
        }
    }

    /// A field that is folded at blanks; nothing if it is empty.
    mutating func field(_ indent: String, _ label: String, _ value: String) {
        guard !value.isEmpty else { return }
        let head = indent + (label.isEmpty ? "" : label.padding(to: 11))
        let hang = String(repeating: " ", count: head.count)
        for (index, piece) in folded(value, to: max(20, width - head.count)).enumerated() {
            line((index == 0 ? head : hang) + piece)
        }
    }
}

extension String {
    fileprivate func padding(to length: Int) -> String {
        self + String(repeating: " ", count: max(1, length - count))
    }
}

extension Remedy {
    fileprivate var words: [String?] { [qemu, libvirt, live, verify] }
}
