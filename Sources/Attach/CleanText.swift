internal import Telemetry

/// Text from outside, fit for a screen: harmless, and a name that would fill the screen is cut.
func clean(_ text: String) -> String {
    let limit = 256
    let cut = text.unicodeScalars.dropFirst(limit).isEmpty ? "" : "…"
    return text.harmless(limit: limit) + cut
}
