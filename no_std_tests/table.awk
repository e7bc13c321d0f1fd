# The lines of the jobs as a table, and whether they keep to the bars.

function bar(what, value, limit) {
    if (value + 0 <= limit) return
    over[++overs] = what ": " value ", the bar is " limit
}

function field(name,    i) {
    for (i = 4; i < NF; i++) if ($i == name) return $(i + 1)
}

$1 == "flash" { codec[$2, $3] = $4; decoder[$2, $3] = $5 }

$1 == "stream" {
    n++
    name[n] = $2; opt[n] = $3; level[n] = field("level"); streams[n] = field("streams")
    workspace[n] = field("workspace"); stack[n] = field("stack")
    state[n] = field("decoder"); if (field("encoder") > state[n]) state[n] = field("encoder")
    encode[n] = field("encode"); decode[n] = field("decode"); setup[n] = field("setup")
}

$1 == "dictionary" {
    primed[++dictionaries] = "| " $2 " | " $3 " | " field("level") " | " field("messages") " same | " \
        field("stack") " | " field("check") " | " field("start") " |"
    if (field("stack") != "-" && field("level") <= 1) bar("a dictionary, " $2 ", stack", field("stack"), 1536)
}

END {
    print "| machine | opt | level | streams | workspace | state | stack | encode | decode | setup | flash, both | flash, decoder |"
    print "|---|---|---|---|---|---|---|---|---|---|---|---|"
    for (i = 1; i <= n; i++) {
        key = name[i] SUBSEP level[i]
        small = opt[i] == "s"
        both = small && (key in codec) ? codec[key] : "-"
        alone = small && (key in codec) ? decoder[key] : "-"
        print "| " name[i] " | " opt[i] " | " level[i] " | " streams[i] " same | " workspace[i] " | " state[i] \
            " | " stack[i] " | " encode[i] " | " decode[i] " | " setup[i] " | " both " | " alone " |"

        where = name[i] ", opt-level " opt[i] ", level " level[i]
        if (stack[i] != "-" && level[i] <= 1) bar(where ", stack", stack[i], 1536)
        if (name[i] == "micro:bit") bar(where ", RAM", workspace[i] + stack[i], 12 * 1024)
        if (name[i] == "mps2-an386" && opt[i] == 3 && level[i] <= 2) {
            limit = 4000 * 2 ^ level[i]
            bar(where ", instructions a byte, encoding", encode[i], limit)
            bar(where ", instructions a byte, decoding", decode[i], limit)
        }
        if (both != "-" && level[i] <= 1) {
            bar(where ", flash of both", both, 40 * 1024)
            bar(where ", flash of the decoder", alone, 32 * 1024)
        }
    }
    print ""
    print "| machine | opt | level | messages | stack | check | start |"
    print "|---|---|---|---|---|---|---|"
    for (i = 1; i <= dictionaries; i++) print primed[i]
    if (dictionaries < 35) over[++overs] = dictionaries " dictionaries, there should be 35"
    if (n < 51) over[++overs] = n " lines, there should be 51"
    fflush()
    for (i = 1; i <= overs; i++) print over[i] > "/dev/stderr"
    exit overs > 0
}
