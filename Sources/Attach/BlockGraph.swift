import QMP
import Telemetry

/// The block nodes of a VM, and how they hang together (QMP `query-named-block-nodes`,
/// `x-debug-query-block-graph`).
struct BlockGraph: Sendable, Equatable {
    /// Drivers that pass requests on and hold no data: never the format of an image.
    static let filters: Set = [
        "throttle", "mirror_top", "commit_top", "backup-top", "copy-before-write", "copy-on-read",
        "preallocate", "blkdebug", "blklogwrites", "blkreplay", "filter-rewriter",
        "snapshot-access",
    ]
    /// Formats of images, which lie on something else.
    private static let formats: Set = [
        "raw", "qcow2", "qcow", "qed", "vmdk", "vdi", "vhdx", "vpc", "luks", "parallels",
    ]

    /// Whether `driver` has a file or device open itself.
    static func isProtocol(_ driver: String) -> Bool {
        !formats.contains(driver) && !filters.contains(driver)
    }

    private var nodes: [String: QMPBlockNode] = [:]
    /// Node name of the child that holds a node's data.
    private var children: [String: String]?

    /// Nothing known.
    init() {}

    /// The nodes by name, and their edges where this QEMU tells them.
    init(nodes: [QMPBlockNode], graph: QMPBlockGraph?) {
        for node in nodes { if let name = node.nodeName { self.nodes[name] = node } }
        children = graph.map(Self.dataChildren)
    }

    /// Of a node's children `file` holds the data; a filter of another kind has `backing`.
    private static func dataChildren(of graph: QMPBlockGraph) -> [String: String] {
        let names = Dictionary(
            graph.nodes.map { ($0.id, $0.name) }, uniquingKeysWith: { first, _ in first })
        var children: [String: (role: String, name: String)] = [:]
        for edge in graph.edges {
            guard let parent = names[edge.parent], let child = names[edge.child] else { continue }
            if let known = children[parent], known.role == "file" || edge.name != "file" {
                continue
            }
            children[parent] = (edge.name, child)
        }
        return children.mapValues(\.name)
    }

    /// The nodes from `root` down to the one that is a file or device; `root` alone where nothing
    /// else is known.
    func chain(from root: QMPBlockNode) -> [QMPBlockNode] {
        var chain = [root]
        guard let children else { return chain + samePlace(as: root) }
        // As many steps as there are nodes: a loop would be QEMU's mistake, and must not be ours.
        for _ in nodes {
            guard let name = chain.last?.nodeName, let below = children[name] else { break }
            chain.append(nodes[below] ?? QMPBlockNode(named: below))
        }
        return chain
    }

    /// Without edges: a node of the same file is the one below.
    private func samePlace(as root: QMPBlockNode) -> [QMPBlockNode] {
        guard let file = root.file else { return [] }
        let below = nodes.values.filter { $0.file == file && $0.nodeName != root.nodeName }
        return below.sorted { ($0.nodeName ?? "") < ($1.nodeName ?? "") }.suffix(1)
    }

    /// The driver of the first node that is no filter.
    static func format(of chain: [QMPBlockNode]) -> String? {
        let drivers = chain.compactMap(\.driver)
        return drivers.first { !filters.contains($0) } ?? drivers.first
    }

    /// Name of the throttle group a filter in `chain` belongs to: only the node's own description
    /// has it.
    static func throttleGroup(of chain: [QMPBlockNode]) -> String? {
        for node in chain where node.driver == "throttle" {
            guard let file = node.file, file.hasPrefix("json:"),
                let options = try? QMPValue(parsing: Array(file.utf8.dropFirst(5)))
            else { continue }
            if let group = options["throttle-group"]?.text { return group }
        }
        return nil
    }
}

extension QMPBlockNode {
    /// A node of which only the name is known.
    fileprivate init(named name: String) {
        self.init()
        nodeName = name
    }

    /// The file or device; a node described by options has no such name.
    var place: String? {
        guard let file, !file.isEmpty else { return nil }
        return file.hasPrefix("json:") ? nil : file
    }

    /// The same node in the words all sources share.
    var described: BlockNode {
        BlockNode(
            name: clean(nodeName ?? ""), driver: clean(driver ?? "?"), file: place.map(clean),
            isDirect: isDirect)
    }
}
