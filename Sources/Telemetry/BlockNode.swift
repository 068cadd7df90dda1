/// One node of a LUN's block graph, from the device down to file or device (QMP
/// `query-named-block-nodes`, `x-debug-query-block-graph`).
public struct BlockNode: Sendable, Equatable {
    /// QMP `node-name`.
    public var name: String
    /// The block driver: `raw`, `qcow2`, `throttle`, `file`, `host_device`, …
    public var driver: String
    /// The file or URL of a protocol node.
    public var file: String?
    /// Whether the page cache of the host is left out (`cache.direct`).
    public var isDirect: Bool?

    /// A node by name and driver.
    public init(name: String, driver: String, file: String? = nil, isDirect: Bool? = nil) {
        self.name = name
        self.driver = driver
        self.file = file
        self.isDirect = isDirect
    }
}
