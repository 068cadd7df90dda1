/// Holds a text against the grammar of OpenMetrics 1.0 and its rules for families.
struct OpenMetricsChecker {
    /// What is wrong, line by line.
    private(set) var faults: [String] = []
    private var families: [String: String] = [:]
    private var family = ""
    private var series: Set<String> = []
    /// The value of each series, by its name and labels as written.
    private(set) var values: [String: String] = [:]
    /// Buckets of the histogram being read: labels but `le`, the last bound and count.
    private var bucket: (labels: String, bound: Double, count: Double)?

    init(_ text: String) {
        guard text.hasSuffix("# EOF\n") else {
            faults.append("does not end with # EOF")
            return
        }
        for line in text.dropLast("# EOF\n".count).split(
            separator: "\n", omittingEmptySubsequences: false
        ).dropLast() {
            if line.hasPrefix("#") { metadata(line) } else { sample(line) }
        }
    }

    private mutating func metadata(_ line: Substring) {
        guard let found = line.wholeMatch(of: /# (TYPE|UNIT|HELP) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)/)
        else { return faults.append("no metadata: \(line)") }
        let (_, keyword, name, rest) = found.output
        switch keyword {
        case "TYPE":
            let kinds = ["gauge", "info", "summary", "gaugehistogram"]
            if !kinds.contains(String(rest)) { faults.append("type: \(line)") }
            if families[String(name)] != nil { faults.append("family comes twice: \(line)") }
            families[String(name)] = String(rest)
            family = String(name)
        case "UNIT":
            if name != family || !name.hasSuffix("_" + rest) { faults.append("unit: \(line)") }
        default:
            let isEscaped = rest.wholeMatch(of: /(?:[^\\"]|\\[\\n"])*/) != nil
            if name != family || !isEscaped { faults.append("help: \(line)") }
        }
    }

    private mutating func sample(_ line: Substring) {
        let number = /[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?Inf|NaN/
        let labels = /\{(?:[a-zA-Z_]\w*="(?:[^\\"]|\\[\\n"])*",?)*\}/
        guard let name = line.prefixMatch(of: /[a-zA-Z_:][a-zA-Z0-9_:]*/) else {
            return faults.append("no name: \(line)")
        }
        var rest = line[name.range.upperBound...]
        var set = ""
        if let match = rest.prefixMatch(of: labels) {
            set = String(match.output)
            rest = rest[match.range.upperBound...]
        }
        guard rest.first == " ", rest.dropFirst().wholeMatch(of: number) != nil else {
            return faults.append("no value: \(line)")
        }
        let value = String(rest.dropFirst())
        let suffix = String(name.output.dropFirst(family.count))
        let allowed: [String: [String]] = [
            "gauge": [""], "info": ["_info"], "summary": ["", "_sum", "_count"],
            "gaugehistogram": ["_bucket", "_gcount", "_gsum"],
        ]
        if !name.output.hasPrefix(family)
            || allowed[families[family] ?? ""]?.contains(suffix) != true
        {
            faults.append("not of the family \(family): \(line)")
        }
        if !series.insert(name.output + set).inserted { faults.append("comes twice: \(line)") }
        values[name.output + set] = value
        if suffix == "_bucket" { check(set, Double(value) ?? -1, line) }
        let names = set.matches(of: /[{,]([a-zA-Z_]\w*)="/).map { String($0.output.1) }
        if Set(names).count != names.count { faults.append("a label comes twice: \(line)") }
    }

    /// Bounds and counts of a histogram do not fall.
    private mutating func check(_ labels: String, _ count: Double, _ line: Substring) {
        guard let le = labels.firstMatch(of: /,?le="([^"]*)"/) else {
            return faults.append("no bound: \(line)")
        }
        let bound = le.output.1 == "+Inf" ? Double.infinity : Double(le.output.1) ?? -1
        let others = labels.replacing(le.output.0, with: "")
        if let bucket, bucket.labels == others, bound <= bucket.bound || count < bucket.count {
            faults.append("falls: \(line)")
        }
        bucket = (others, bound, count)
    }
}
