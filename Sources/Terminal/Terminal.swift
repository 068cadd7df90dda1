import CTerminal
public import Grid
import Kernel

/// The terminal itself: start and stop, input, resize, colours, painting grid differences.
///
/// There is one terminal, and one thread, the one that made this, may use it. Whatever ends the
/// process, the terminal is put back: by `stop`, at exit, and by handlers of the fatal signals
/// (SEGV, BUS, ILL, FPE, TRAP, ABRT, QUIT), which then leave the signal to whoever had it before.
/// SIGTERM, SIGHUP and SIGINT come as events of `ScreenLoop`. Only SIGKILL leaves the screen as it
/// is: then the shell works on, and `reset` brings its own screen back.
///
/// While the screen is up, standard error, if it is a terminal, goes to memory and is shown after.
public final class Terminal {
    /// The size of the screen in cells, at most 512 rows and 1024 columns, at least 1 each.
    public private(set) var size: Size
    /// Whether the locale is UTF-8. If not, `paint` shows look-alikes or `?` for all that is not
    /// ASCII, and a view does better with symbols of its own choice.
    public let showsUnicode: Bool
    /// How many colours are in use.
    public private(set) var depth: ColorDepth
    /// Whether presses and the wheel of the mouse come as keys; the terminal's own selection of
    /// text then needs Shift.
    public var usesMouse: Bool = false {
        didSet { ct_set_mouse(usesMouse ? 1 : 0) }
    }

    private var pens: PenTable
    private var decoder: KeyDecoder
    /// What the screen shows; `nil` when that is not known.
    private var shown: Grid?

    /// Takes the terminal and clears the screen.
    ///
    /// `colors` never gives more than terminfo says the terminal has; NO_COLOR counts with
    /// `.automatic`. Throws what stands in the way, with the terminal as it was.
    public init(palette: Palette, colors: ColorMode = .automatic) throws(TerminalError) {
        let answer = Int(ct_start(colors == .direct ? 1 : 0))
        if let kind = TerminalError.Kind(answer: answer) { throw TerminalError(kind: kind) }
        showsUnicode = ct_is_utf8() != 0
        depth = Self.depth(of: colors)
        pens = PenTable(palette, depth: depth)
        decoder = KeyDecoder(isUTF8: showsUnicode)
        size = Self.currentSize
    }

    deinit { stop() }

    /// Gives the terminal back and shows what was written to standard error. Safe to call twice.
    public func stop() { ct_stop() }

    /// Changes the palette and the number of colours; the next `paint` sends everything.
    public func use(_ palette: Palette, colors: ColorMode = .automatic) {
        depth = Self.depth(of: colors)
        pens = PenTable(palette, depth: depth)
        shown = nil
    }

    /// Shows `grid`: sends the cells that changed since the last one, nothing if none did.
    public func paint(_ grid: Grid) {
        let steps = paintSteps(from: shown, to: grid)
        if steps.isEmpty { return }
        for step in steps { perform(step, grid) }
        ct_refresh()
        shown = grid
    }

    /// Gives the terminal's clipboard what `base64` encodes (OSC 52); a terminal that does not
    /// allow that does nothing. What is no base64 is left out.
    public func copy(base64: String) {
        let isEncoded: (UInt8) -> Bool = { byte in
            switch byte {
            case 48...57, 65...90, 97...122, 43, 47, 61: true
            default: false
            }
        }
        // SAFETY: the C string lives for the call, and is only read there.
        unsafe ct_copy(String(decoding: base64.utf8.filter(isEncoded), as: UTF8.self))
    }

    /// Every key that has come since the last call, without waiting.
    public func readKeys() -> [Key] { readInput().keys }

    /// The keys, and whether there was anything to read at all.
    func readInput() -> (keys: [Key], hadInput: Bool) {
        let input = drainInput()
        return (decoder.decode(input), !input.isEmpty)
    }

    /// Fits the screen to the terminal after SIGWINCH and returns its size.
    @discardableResult
    public func resized() -> Size {
        ct_fit()
        size = Self.currentSize
        shown = nil
        return size
    }

    /// Gives the terminal back, stops the process as Ctrl-Z does, and takes the terminal again when
    /// it is continued. The size may have changed; the next `paint` sends everything.
    public func suspend() {
        ct_leave()
        stopProcess()
        resume()
    }

    /// Takes the terminal again after something else had it (SIGSTOP and SIGCONT).
    public func resume() {
        ct_leave()
        ct_enter()
        resized()
    }

    /// Makes the next `paint` send every cell: another program wrote on the screen.
    public func redraw() {
        ct_forget_screen()
        shown = nil
    }

    /// The descriptor to poll for keys.
    var inputDescriptor: Int32 { ct_input_descriptor() }

    private static var currentSize: Size {
        Size(columns: Int(ct_columns()), rows: Int(ct_rows()))
    }

    private static func depth(of colors: ColorMode) -> ColorDepth {
        ColorDepth(
            mode: colors,
            terminal: ColorDepth(count: Int(ct_colors()), isDirect: ct_is_direct() != 0),
            forbidden: ct_environment_forbids_color() != 0)
    }
}

// MARK: - Painting

extension Terminal {
    private func perform(_ step: PaintStep, _ grid: Grid) {
        switch step {
        case .erase: ct_erase(pens[.normal].attributes, pens[.normal].pair)
        case .run(let row, let columns): send(grid, row, columns)
        case .cursor(let row, let column): ct_cursor(Int32(clamping: row), Int32(clamping: column))
        case .hideCursor: ct_cursor(-1, -1)
        }
    }

    private func send(_ grid: Grid, _ row: Int, _ columns: Range<Int>) {
        ct_move(Int32(clamping: row), Int32(clamping: columns.lowerBound))
        var column = columns.lowerBound
        while column < columns.upperBound {
            let cell = grid[row, column]
            let pen = pens[cell.style]
            let width = cell.scalar.cellWidth
            if showsUnicode || cell.scalar.isASCII {
                ct_put(cell.scalar.value, Int32(width), pen.attributes, pen.pair)
            } else {
                ct_put(cell.scalar.asciiLookAlike.value, 1, pen.attributes, pen.pair)
                if width == 2 { ct_put(0x20, 1, pen.attributes, pen.pair) }
            }
            column += max(1, width)
        }
        ct_end_run()
    }
}

extension TerminalError.Kind {
    /// The meaning of `ct_start`'s answer; `nil` if it worked.
    fileprivate init?(answer: Int) {
        switch answer {
        case CT_OK: return nil
        case CT_NOT_A_TERMINAL: self = .notATerminal
        case CT_NO_TYPE: self = .noType
        case CT_UNKNOWN_TYPE: self = .unknownType
        case CT_NO_ADDRESSING: self = .noCursorAddressing
        default: self = .failed
        }
    }
}
