/// A share in percent as evidence shows it: `94 %`, `0.4 %`.
func percent(_ value: Double) -> String { figures(value) + " %" }

/// A number with as many digits as matter: `1601753`, `94`, `9.4`, `0.43`.
func figures(_ value: Double) -> String {
    guard value.isFinite else { return "-" }
    let size = abs(value)
    let decimals = size >= 10 || value == value.rounded() ? 0 : size >= 1 ? 1 : 2
    let scale = [1.0, 10, 100][decimals]
    let whole = (value * scale).rounded()
    guard abs(whole) < 1e15 else { return String(value) }
    guard decimals > 0 else { return String(Int64(whole)) }
    let digits = String(Int64(abs(whole)))
    let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
    return (whole < 0 ? "-" : "") + padded.dropLast(decimals) + "." + padded.suffix(decimals)
}

/// Bytes in the largest unit that leaves a number of at least 1: `32 MiB`.
func bytes(_ value: Double) -> String {
    var (value, unit) = (value, 0)
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while abs(value) >= 1024, unit < units.count - 1 {
        value /= 1024
        unit += 1
    }
    return figures(value) + " " + units[unit]
}

/// Microseconds in a unit that suits them: `850 µs`, `2.4 ms`, `1.2 s`.
func duration(microseconds value: Double) -> String {
    if value < 1000 { return figures(value) + " µs" }
    return value < 1_000_000 ? figures(value / 1000) + " ms" : figures(value / 1_000_000) + " s"
}

/// `vd0, vd1 and 3 more`.
func list(_ names: some Collection<String>, limit: Int = 4) -> String {
    let shown = names.prefix(limit).joined(separator: ", ")
    return names.count > limit ? shown + " and \(names.count - limit) more" : shown
}
