public import ArgumentParser
import Kernel
public import Terminal

/// Where the samples go.
struct OutputOptions: ParsableArguments {
    @Option(name: [.customShort("d"), .long], help: "Seconds between samples, 0.1…3600.")
    var interval = 1.0

    @Option(name: [.customShort("n"), .long], help: "Stop after so many samples.")
    var iterations: Int?

    @Flag(name: .shortAndLong, help: "No screen: a plain text table per sample.")
    var batch = false

    @Flag(help: "No screen: one JSON object per sample and line (docs/json.md).")
    var json = false

    @Option(help: "Colour theme: default, light, mono, or the path of a .toml file.")
    var theme = "default"

    @Option(help: "Colours: auto, never, 8, 256 or direct.")
    var color = ColorMode.automatic

    func validate() throws {
        guard interval >= 0.1, interval <= 3600 else {
            throw ValidationError("--interval must be 0.1…3600 seconds")
        }
        if let iterations, iterations < 1 {
            throw ValidationError("--iterations must be at least 1")
        }
    }

    /// How to print samples, or nil for the screen.
    ///
    /// A screen needs a terminal that can place text: elsewhere the samples come as text.
    var batchFormat: BatchFormat? {
        if json { return .json }
        if batch || !Process.outputIsTerminal { return .table }
        let terminal = Process.environment("TERM") ?? ""
        return terminal == "dumb" ? .table : nil
    }
}

extension ColorMode: ExpressibleByArgument {}
