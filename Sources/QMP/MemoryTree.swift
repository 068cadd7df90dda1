internal import Telemetry

/// QEMU's memory regions as `info mtree` prints them: trees of containers, memory and aliases.
///
/// QEMU can print the flat view that devices see too (`info mtree -f`). It must not be asked to:
/// up to 7.2 at least it keeps a reference to that view for each further address space that shares
/// it, for ever, and with it one to every device that is mapped there. Such a device is never quite
/// unplugged any more: `DEVICE_DELETED` does not come. So the view is made here, as QEMU makes it.
struct MemoryTree {
    /// A region: a line of the tree.
    fileprivate struct Region {
        var start: Int128
        var last: Int128
        var priority: Int
        /// `ram`, `rom`, `i/o` and so on.
        var kind: Substring
        var name: Substring
        /// Another region, of which it shows what is there from `offset` on.
        var alias: (target: Substring, offset: Int128)?
        var children: [Int] = []
    }

    private var regions: [Region] = []
    /// The regions at the top, by what stands above them: an address space or a region's name.
    private var spaces: [Substring: Int] = [:]
    private var targets: [Substring: Int] = [:]

    /// More lines than any machine has are a mistake, or worse, as are more steps to its view.
    private static let lineLimit = 65_536
    private static let stepLimit = 65_536
    private static let depthLimit = 32

    /// Reads what `info mtree` says. Lines that are no regions are passed over, with all that is
    /// in them.
    init(_ text: String) {
        var heading: (isSpace: Bool, name: Substring)?
        /// The regions that the next line may be in, by their indentation; `nil`: passed over.
        var path: [(indent: Int, region: Int?)] = []
        for line in text.split(whereSeparator: \.isNewline).prefix(Self.lineLimit) {
            let indent = line.prefix { $0 == " " }.count
            if indent == 0 {
                heading = Self.heading(line)
                path = []
                continue
            }
            while let last = path.last, last.indent >= indent { path.removeLast() }
            guard path.last.map({ $0.region != nil }) ?? true,
                let region = Region(line.dropFirst(indent))
            else {
                path.append((indent, nil))
                continue
            }
            if let parent = path.last?.region {
                regions[parent].children.append(regions.count)
            } else if let heading {
                note(regions.count, below: heading)
            }
            path.append((indent, regions.count))
            regions.append(region)
        }
        let priorities = regions.map(\.priority)
        for index in regions.indices {
            // The one that hides others comes first.
            regions[index].children.sort { left, right in
                (priorities[left], -left) > (priorities[right], -right)
            }
        }
    }

    private static func heading(_ line: Substring) -> (isSpace: Bool, name: Substring)? {
        for (word, isSpace) in [("address-space: ", true), ("memory-region: ", false)]
        where line.hasPrefix(word) {
            return (isSpace, line.dropFirst(word.count))
        }
        return nil
    }

    private mutating func note(_ root: Int, below heading: (isSpace: Bool, name: Substring)) {
        if heading.isSpace {
            if spaces[heading.name] == nil { spaces[heading.name] = root }
        } else if targets[heading.name] == nil {
            targets[heading.name] = root
        }
    }

    // MARK: The view

    /// The RAM that is seen in the address space `name`, in the order of its addresses; `nil` if
    /// there is no such space. ROM, I/O and memory of other devices is left out.
    func memory(of name: Substring) -> [QMPMemoryRange]? {
        guard let root = spaces[name] else { return nil }
        var view = View()
        render(root, moved: 0, within: 0...Int128(UInt64.max), depth: 0, &view)
        return view.ranges
    }

    /// What is seen of a region that is `moved` by so many bytes, where nothing hides it: first
    /// what is in it, then itself (QEMU's `render_memory_region`).
    private func render(
        _ index: Int, moved: Int128, within limits: ClosedRange<Int128>, depth: Int,
        _ view: inout View
    ) {
        let region = regions[index]
        let start = max(region.start + moved, limits.lowerBound)
        let last = min(region.last + moved, limits.upperBound)
        view.steps += 1
        guard view.steps < Self.stepLimit, start <= last, depth < Self.depthLimit else { return }
        if let alias = region.alias {
            guard let target = targets[alias.target] else {
                // QEMU prints no tree of what is but memory: the line says what it is.
                return view.fill(
                    start...last, region.kind, alias.target,
                    offset: alias.offset + start - (region.start + moved))
            }
            let origin = regions[target].start + alias.offset
            return render(
                target, moved: region.start + moved - origin, within: start...last,
                depth: depth + 1, &view)
        }
        for child in region.children {
            render(child, moved: moved, within: start...last, depth: depth + 1, &view)
        }
        // What has others in it is a container, which is nothing itself, if it is not memory.
        guard region.children.isEmpty || region.kind != "i/o" else { return }
        view.fill(start...last, region.kind, region.name, offset: start - region.start - moved)
    }

    /// Runs of addresses and what is there.
    private struct View {
        private struct Run {
            var range: ClosedRange<Int128>
            /// Whose memory, and how far into it the run begins; `nil` for what is none.
            var memory: (name: Substring, offset: Int128)?
        }

        /// What is seen so far, in the order of addresses.
        private var seen: [Run] = []
        var steps = 0

        /// Puts a region wherever nothing else is seen.
        mutating func fill(
            _ range: ClosedRange<Int128>, _ kind: Substring, _ name: Substring, offset: Int128
        ) {
            var next = range.lowerBound
            var found: [Run] = []
            func add(upTo last: Int128) {
                guard next <= last else { return }
                let memory =
                    kind == "ram" ? (name: name, offset: offset + next - range.lowerBound) : nil
                found.append(Run(range: next...last, memory: memory))
            }
            for other in seen where other.range.overlaps(range) {
                add(upTo: other.range.lowerBound - 1)
                next = max(next, other.range.upperBound + 1)
            }
            add(upTo: range.upperBound)
            for run in found {
                // So many pieces no machine has: nothing further is looked at.
                guard seen.count < QMPMemoryRange.limit else { return steps = .max / 2 }
                let place = seen.firstIndex { $0.range.lowerBound > run.range.lowerBound }
                seen.insert(run, at: place ?? seen.endIndex)
            }
        }

        /// The memory, what goes on in one piece together.
        var ranges: [QMPMemoryRange] {
            var ranges: [QMPMemoryRange] = []
            for run in seen {
                guard let memory = run.memory, let start = UInt64(exactly: run.range.lowerBound),
                    let last = UInt64(exactly: run.range.upperBound),
                    let offset = UInt64(exactly: memory.offset)
                else { continue }
                let name = String(memory.name).harmless(limit: 200)
                if let before = ranges.last, before.name == name, before.last &+ 1 == start,
                    before.offset &+ (start - before.start) == offset
                {
                    ranges[ranges.count - 1].last = last
                } else {
                    ranges.append(
                        QMPMemoryRange(start: start, last: last, name: name, offset: offset))
                }
            }
            return ranges
        }
    }
}

extension MemoryTree.Region {
    /// `START-LAST (prio 0, ram): NAME`, or `…: alias NAME @TARGET FIRST-LAST`, without the
    /// indentation; numbers are hexadecimal. `nil` for anything else, and for a region that is
    /// `[disabled]`.
    fileprivate init?(_ line: Substring) {
        guard !line.hasSuffix(" [disabled]"), let open = line.firstIndex(of: "("),
            let close = line[open...].firstIndex(of: ")"), line[close...].hasPrefix("): "),
            let range = Self.addresses(line[..<open])
        else { return nil }
        let words = line[line.index(after: open)..<close].split(separator: " ")
        guard words.count == 3, words[0] == "prio", words[1].last == ",",
            let priority = Int(words[1].dropLast())
        else { return nil }
        let rest = line[close...].dropFirst(3)
        self.init(
            start: range.lowerBound, last: range.upperBound, priority: priority, kind: words[2],
            name: rest, alias: nil)
        guard rest.hasPrefix("alias "), let space = rest.lastIndex(of: " "),
            let part = Self.addresses(rest[rest.index(after: space)...]),
            let mark = rest[..<space].lastIndex(of: "@")
        else { return }
        alias = (rest[rest.index(after: mark)..<space], part.lowerBound)
    }

    private static func addresses(_ text: Substring) -> ClosedRange<Int128>? {
        let words = text.split(separator: "-").map { word in
            UInt64(word.filter { $0 != " " }, radix: 16)
        }
        guard words.count == 2, let start = words[0], let last = words[1], start <= last else {
            return nil
        }
        return Int128(start)...Int128(last)
    }
}
