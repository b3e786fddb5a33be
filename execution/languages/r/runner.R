# Serves one R version inside its sandbox: Rscript runner.R READ WRITE RESULT_BYTES

local({
  ROOT <- "/algorithm"
  SCRATCH <- c("/tmp", "/dev/shm")
  MIB <- 1024^2
  TYPES <- c(
    "InputError", "UnsupportedError", "InitializationError", "OutOfMemoryError",
    "OutOfGpuMemoryError", "LanguageError", "TooLargeError", "ParsingError",
    "EntityNotFoundError", "ThirdPartyCredentialError", "AlgorithmError"
  )

  given <- commandArgs(trailingOnly = TRUE)
  input <- file(paste0("/dev/fd/", given[1]), "rb", raw = TRUE)
  output <- file(paste0("/dev/fd/", given[2]), "wb", raw = TRUE)
  result_bytes <- as.numeric(given[3])
  owner <- Sys.getpid()
  options(keep.source = TRUE, warn = 1)

  to_json <- function(value) {
    text <- jsonlite::toJSON(value, auto_unbox = TRUE, null = "null", na = "null", digits = NA)
    enc2utf8(as.character(text))
  }
  from_json <- function(text) jsonlite::fromJSON(text, simplifyVector = FALSE)
  as_text <- function(bytes) {
    text <- rawToChar(bytes)
    Encoding(text) <- "UTF-8"
    text
  }

  # Frames, as execution/sandbox/wire.py has them.

  big_endian <- function(number, count) {
    as.raw(number %/% 256^((count - 1):0) %% 256)
  }
  read_bytes <- function(count) {
    found <- raw(0)
    while (length(found) < count) {
      part <- readBin(input, "raw", count - length(found))
      if (length(part) == 0) quit(status = 0)
      found <- if (length(found)) c(found, part) else part
    }
    found
  }
  send <- function(header, body = raw(0)) {
    if (Sys.getpid() != owner) quit(status = 0) # a copy that the author's code forked
    head <- charToRaw(to_json(header))
    prefix <- c(big_endian(2 + length(head) + length(body), 4), big_endian(length(head), 2))
    writeBin(c(prefix, head, body), output)
    flush(output)
  }
  receive <- function() {
    prefix <- as.numeric(read_bytes(6))
    head_length <- sum(prefix[5:6] * 256^(1:0))
    header <- from_json(as_text(read_bytes(head_length)))
    list(header = header, body = read_bytes(sum(prefix[1:4] * 256^(3:0)) - 2 - head_length))
  }

  # Values: bytes are raw vectors, JSON arrays and objects are lists.

  to_value <- function(type, body) {
    switch(type, binary = body, text = as_text(body), void = NULL, from_json(as_text(body)))
  }
  to_payload <- function(value) {
    if (is.raw(value)) return(list(type = "binary", data = value))
    if (is.character(value) && length(value) == 1 && is.null(attributes(value)) && !is.na(value)) {
      return(list(type = "text", data = charToRaw(enc2utf8(value))))
    }
    refuse <- function(error) {
      words <- paste0("The result can't be returned: ", conditionMessage(error))
      stop(structure(list(message = words, call = NULL), class = c("NotCarried", "error", "condition")))
    }
    list(type = "json", data = charToRaw(tryCatch(to_json(value), error = refuse)))
  }

  # What went wrong.

  frames <- character(0)
  note_frames <- function(error) {
    found <- vapply(sys.calls(), function(call) {
      place <- attr(call, "srcref")
      name <- if (is.null(place)) "" else attr(place, "srcfile")$filename
      if (!startsWith(name, paste0(ROOT, "/"))) return("")
      said <- paste(deparse(call, nlines = 1), collapse = "")
      sprintf("%s line %d: %s", substring(name, nchar(ROOT) + 2), place[1], said)
    }, "")
    frames <<- found[nzchar(found)]
  }
  describe <- function(error) {
    kind <- intersect(class(error), TYPES)
    message <- gsub(paste0(ROOT, "/"), "", conditionMessage(error), fixed = TRUE)
    trace <- if (length(frames)) paste(c(message, rev(frames)), collapse = "\n") else ""
    list(
      type = if (length(kind)) kind[1] else "AlgorithmError",
      message = substr(if (nzchar(message)) message else "The algorithm failed.", 1, 10000),
      stacktrace = substr(trace, 1, 20000)
    )
  }
  failure <- function(type, message) list(type = type, message = message, stacktrace = "")
  attempt <- function(code, failed) {
    frames <<- character(0)
    tryCatch(withCallingHandlers(code, error = note_frames), error = failed)
  }

  # What a run leaves behind.

  scratch <- function() {
    list.files(SCRATCH, all.files = TRUE, full.names = TRUE, recursive = TRUE, include.dirs = TRUE)
  }
  tidy <- function(kept) {
    left <- setdiff(scratch(), kept)
    unlink(left, recursive = TRUE, force = TRUE)
    !any(file.exists(left))
  }

  # The version.

  load_version <- function(name) {
    names <- c(paste0(name, c(".r", ".R")), "Algorithm.r", "Algorithm.R")
    found <- file.path(ROOT, "src", names)
    found <- found[file.exists(found)]
    if (!length(found)) stop(paste0("src/", name, ".r is not there."))
    setwd(ROOT)
    sys.source(found[1], envir = globalenv(), keep.source = TRUE)
    setwd("/tmp")
    own <- function(name) get0(name, envir = globalenv(), mode = "function", inherits = FALSE)
    algorithm <- own("algorithm")
    if (is.null(algorithm)) algorithm <- own("apply")
    if (is.null(algorithm)) stop(paste0(found[1], " has no function algorithm(input)."))
    loader <- own("load")
    if (is.null(loader)) return(function(value) algorithm(value))
    state <- loader()
    function(value) algorithm(value, state)
  }
  run <- function(algorithm, frame) {
    told <- attempt(
      {
        made <- to_payload(algorithm(to_value(frame$header$type, frame$body)))
        if (length(made$data) > result_bytes) {
          words <- "The result has %.1f MiB; at most %g can be returned."
          failure("TooLargeError", sprintf(words, length(made$data) / MIB, result_bytes / MIB))
        } else {
          made
        }
      },
      function(error) {
        if (inherits(error, "NotCarried")) failure("ParsingError", conditionMessage(error))
        else describe(error)
      }
    )
    if (!is.null(told$data)) {
      return(list(header = list(kind = "result", type = told$type), body = told$data))
    }
    list(header = list(kind = "error"), body = charToRaw(to_json(told)))
  }

  send(list(kind = "hello"))
  start <- receive()$header
  calls <- 0

  # For algorithms: call other algorithms, as the person who called this one.
  #
  #     greeting <- algorium$call("alice/Hello/1.0.0", "Bob", timeout = 10)
  #
  # Stops with a condition of class CallError, whose `type` and message tell why.
  call_other <- function(reference, value = NULL, timeout = NULL) {
    refuse <- function(type, message) {
      told <- list(message = message, call = NULL, type = type)
      stop(structure(told, class = c("CallError", "error", "condition")))
    }
    if (!isTRUE(start$calls_others)) {
      refuse("UnsupportedError", "This version wasn't published with the permission to call others.")
    }
    made <- to_payload(value)
    calls <<- calls + 1
    header <- list(kind = "call", id = calls, ref = reference, type = made$type, timeout = timeout)
    send(header, made$data)
    answer <- receive()
    if (!is.null(answer$header$error)) refuse(answer$header$error, as_text(answer$body))
    to_value(answer$header$type, answer$body)
  }
  attach(list(algorium = list(call = call_other)), name = "algorium")

  algorithm <- attempt(load_version(start$name), function(error) {
    flush(stdout())
    send(list(kind = "failed"), charToRaw(to_json(describe(error))))
    quit(status = 0)
  })
  kept <- scratch()
  send(list(kind = "loaded"))
  repeat {
    frame <- receive()
    reply <- run(algorithm, frame)
    while (sink.number()) sink()
    flush(stdout())
    reply$header$id <- frame$header$id
    reply$header$left <- !tidy(kept)
    send(reply$header, reply$body)
  }
})
