internal import FoundationEssentials
public import Telemetry

/// Writes samples as JSON Lines: the JSON form of each, all that a sample has.
public struct SampleJSONExporter: SampleExporter {
    private let encoder: JSONEncoder

    public init() {
        encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    }

    public mutating func bytes(for sample: Snapshot) throws -> [UInt8] {
        Array(try encoder.encode(sample)) + [UInt8(ascii: "\n")]
    }

    public mutating func finish() -> [UInt8] { [] }
}
