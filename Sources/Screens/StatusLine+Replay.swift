internal import Grid
internal import Telemetry

/// What the first line tells of a recording that is played, and of one that is written.
extension Painter {
    /// `REPLAY 2× 22:01:30Z`, or `REPLAY PAUSED …`
    func replayMode(_ replay: ReplayState) -> Piece {
        let time = " " + clockText(snapshot.wallClock)
        guard replay.isPlaying else {
            return Piece("REPLAY PAUSED" + time, weight: 99, Style(.warning, bold: true))
        }
        return Piece(
            "REPLAY " + speedText(replay.speed) + time, weight: 99, Style(.ok, bold: true))
    }

    /// `¼×`, `64×`
    private func speedText(_ speed: PlaySpeed) -> String {
        let number =
            switch speed.quarters {
            case 1: symbols.quarter
            case 2: symbols.half
            default: String(speed.quarters / 4)
            }
        return number + symbols.times
    }

    var replayPieces: [Piece] {
        guard let replay = state.replay else { return [] }
        var pieces = [Piece(String(replay.name.prefix(40)), weight: 94, Style(.title))]
        if let skipped = replay.skipped {
            let text = "gap " + NumberText.clock(Double(skipped) / 1e9) + " skipped"
            pieces.append(Piece(text, weight: 97, Style(.advice)))
        }
        let (first, last) = (replay.first.monotonic, replay.last.monotonic)
        let whole = Double(last - min(first, last)) / 1e9
        let done = Double(snapshot.monotonic - min(first, snapshot.monotonic)) / 1e9
        let more = replay.isGrowing ? "+" : ""
        pieces.append(
            Piece(NumberText.clock(done) + "/" + NumberText.clock(whole) + more, weight: 88))
        if replay.damaged > 0 {
            pieces.append(Piece("! damaged \(replay.damaged)", weight: 87, Style(.warning)))
        }
        if replay.lost > 0 {
            pieces.append(Piece("! lost \(replay.lost)", weight: 87, Style(.warning)))
        }
        return pieces
    }

    /// `REC 12.3MiB`, why it failed, and what the flight recorder does.
    var recorderPieces: [Piece] {
        guard let recorder = state.recorder else { return [] }
        var pieces: [Piece] = []
        switch recorder.file {
        case .off: break
        case .on(let bytes):
            let text = "REC " + NumberText.compactBytes(Double(bytes)) + "B"
            pieces.append(Piece(text, weight: 93, Style(.ok, bold: true)))
        case .failed(let reason):
            let text = "# not recording: " + String(reason.prefix(60))
            pieces.append(Piece(text, weight: 98, Style(.critical, bold: true)))
        }
        switch recorder.flightRecorder {
        case .off: break
        case .armed(let seconds):
            let text = "FR " + (NumberText.figures(seconds, decimals: 1) ?? "") + "s"
            pieces.append(Piece(text, weight: 55, Style(.muted)))
        case .fired(let reason):
            let text = "! FR " + String(reason.prefix(60))
            pieces.append(Piece(text, weight: 96, Style(.warning, bold: true)))
        }
        return pieces
    }
}
