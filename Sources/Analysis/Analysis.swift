/// What a recording says: reports, comparisons, and requests folded into samples. A pure room:
/// snapshots, requests and marks go in, values come out, and text or JSON is made of those.
