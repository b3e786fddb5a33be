package algorium;

import java.io.DataInputStream;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Serves one Java version inside its sandbox: Runner WIRE RESULT_BYTES, the wire being 0. */
public final class Runner {
    private static final String[] SCRATCH = {"/tmp", "/dev/shm"};
    private static final double MIB = 1024 * 1024;
    private static final Set<String> TYPES = new HashSet<>(Arrays.asList(
            "InputError", "UnsupportedError", "InitializationError", "OutOfMemoryError",
            "OutOfGpuMemoryError", "LanguageError", "TooLargeError", "ParsingError",
            "EntityNotFoundError", "ThirdPartyCredentialError", "AlgorithmError"));
    private static final byte[] NOTHING = {};

    private static DataInputStream in;
    private static OutputStream out;
    private static boolean callsOthers;
    private static int calls;

    private Runner() {}

    public static void main(String[] arguments) throws IOException {
        in = new DataInputStream(new FileInputStream(FileDescriptor.in));
        // A socket is written through the same number that it is read from.
        out = new FileOutputStream(FileDescriptor.in);
        System.setIn(InputStream.nullInputStream());
        long resultBytes = Long.parseLong(arguments[1]);
        PrintStream printed = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        PrintStream complained = new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);
        System.setOut(printed);
        System.setErr(complained);
        send(header("kind", "hello"), NOTHING);
        Map<?, ?> start = (Map<?, ?>) receive()[0];
        callsOthers = Boolean.TRUE.equals(start.get("calls_others"));
        Version version;
        try {
            version = new Version((String) start.get("name"));
        } catch (Throwable error) {
            Map<String, Object> told = described(error);
            if (!(error instanceof Version.LoadFailed)) {
                told.put("message", error.getClass().getSimpleName() + ": " + told.get("message"));
            }
            flush();
            send(header("kind", "failed"), bytes(Json.write(told)));
            return;
        }
        Set<Path> kept = new HashSet<>(scratch());
        Set<Thread> threads = threads();
        send(header("kind", "loaded"), NOTHING);
        while (true) {
            Object[] frame = receive();
            System.setOut(printed);
            System.setErr(complained);
            Map<String, Object> reply = header("id", ((Map<?, ?>) frame[0]).get("id"));
            byte[] data = run(version, (String) ((Map<?, ?>) frame[0]).get("type"), (byte[]) frame[1], reply, resultBytes);
            flush();
            reply.put("left", !threads.containsAll(threads()) || !tidy(kept));
            send(reply, data);
        }
    }

    private static byte[] run(Version version, String type, byte[] body, Map<String, Object> reply, long most) {
        try {
            byte[] data = payload(version.apply(type, body), reply);
            if (data.length <= most) {
                reply.put("kind", "result");
                return data;
            }
            reply.put("kind", "error");
            return failure("TooLargeError", String.format(
                    "The result has %.1f MiB; at most %.0f can be returned.", data.length / MIB, most / MIB));
        } catch (Values.Mismatch error) {
            reply.put("kind", "error");
            return failure("InputError", error.getMessage());
        } catch (Values.NotCarried error) {
            reply.put("kind", "error");
            return failure("ParsingError", error.getMessage());
        } catch (Throwable error) {
            reply.put("kind", "error");
            return bytes(Json.write(described(error)));
        }
    }

    /** Give the bytes of a value, and put its content type into a header. */
    private static byte[] payload(Object value, Map<String, Object> header) {
        if (value instanceof byte[]) {
            header.put("type", "binary");
            return (byte[]) value;
        }
        if (value instanceof CharSequence) {
            header.put("type", "text");
            return bytes(value.toString());
        }
        header.put("type", "json");
        return bytes(Json.write(value));
    }

    static synchronized Object call(String reference, Object value, Double timeout) {
        if (!callsOthers) {
            throw new Algorium.CallError("UnsupportedError", "This version wasn't published with the permission to call others.");
        }
        try {
            Map<String, Object> header = header("kind", "call");
            header.put("id", ++calls);
            header.put("ref", reference);
            header.put("timeout", timeout);
            byte[] data = payload(value, header);
            send(header, data);
            Object[] answer = receive();
            Map<?, ?> told = (Map<?, ?>) answer[0];
            byte[] body = (byte[]) answer[1];
            String text = new String(body, StandardCharsets.UTF_8);
            if (told.get("error") != null) throw new Algorium.CallError((String) told.get("error"), text);
            if ("binary".equals(told.get("type"))) return body;
            return "text".equals(told.get("type")) ? text : Json.read(text);
        } catch (IOException error) {
            throw new Algorium.CallError("SystemError", "The call could not be made.");
        }
    }

    // Frames, as execution/sandbox/wire.py has them.

    private static void send(Map<String, Object> header, byte[] body) throws IOException {
        byte[] head = bytes(Json.write(header));
        byte[] frame = new byte[6 + head.length + body.length];
        int length = 2 + head.length + body.length;
        for (int n = 0; n < 4; n++) frame[n] = (byte) (length >>> (24 - 8 * n));
        frame[4] = (byte) (head.length >>> 8);
        frame[5] = (byte) head.length;
        System.arraycopy(head, 0, frame, 6, head.length);
        System.arraycopy(body, 0, frame, 6 + head.length, body.length);
        out.write(frame);
    }

    /** Wait for a frame; give its header and its body. */
    private static Object[] receive() throws IOException {
        int length;
        try {
            length = in.readInt();
        } catch (IOException closed) {
            Runtime.getRuntime().halt(0);
            throw closed;
        }
        byte[] head = new byte[in.readUnsignedShort()];
        in.readFully(head);
        byte[] body = new byte[length - 2 - head.length];
        in.readFully(body);
        return new Object[] {Json.read(new String(head, StandardCharsets.UTF_8)), body};
    }

    // What went wrong.

    private static Map<String, Object> described(Throwable error) {
        String kind = error.getClass().getSimpleName();
        String message = error.getMessage() == null ? kind : error.getMessage();
        List<String> lines = new ArrayList<>();
        for (StackTraceElement frame : error.getStackTrace()) {
            String place = frame.getClassName();
            if (place.startsWith("algorium.") && frame.getFileName() != null && frame.getFileName().matches("(Runner|Version|Values|Json)\\.java")) continue;
            if (place.matches("(java|javax|jdk|sun)\\..*")) continue;
            lines.add("    at " + place + "." + frame.getMethodName() + "(" + frame.getFileName() + ":" + frame.getLineNumber() + ")");
        }
        String trace = lines.isEmpty() ? "" : error.getClass().getName() + ": " + message + "\n" + String.join("\n", lines);
        Map<String, Object> told = header("type", TYPES.contains(kind) ? kind : "AlgorithmError");
        told.put("message", cut(message, 10_000));
        told.put("stacktrace", cut(trace, 20_000));
        return told;
    }

    private static byte[] failure(String type, String message) {
        Map<String, Object> told = header("type", type);
        told.put("message", message);
        told.put("stacktrace", "");
        return bytes(Json.write(told));
    }

    // What a run leaves behind.

    private static Set<Thread> threads() {
        Thread[] found = new Thread[Thread.activeCount() + 8];
        int count = Thread.enumerate(found);
        Set<Thread> alive = new HashSet<>();
        for (Thread one : Arrays.copyOf(found, count)) {
            if (!one.getName().startsWith("ForkJoinPool.commonPool")) alive.add(one);
        }
        return alive;
    }

    private static List<Path> scratch() throws IOException {
        List<Path> found = new ArrayList<>();
        for (String top : SCRATCH) {
            Path root = Path.of(top);
            Files.walkFileTree(root, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes about) {
                    found.add(file);
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult postVisitDirectory(Path folder, IOException error) {
                    if (!folder.equals(root)) found.add(folder);
                    return FileVisitResult.CONTINUE;
                }
            });
        }
        return found;
    }

    /** Remove what the run left; false where some of it stays. */
    private static boolean tidy(Set<Path> kept) {
        try {
            boolean isEmpty = kept.isEmpty();
            for (String top : SCRATCH) {
                String[] names = new File(top).list();
                isEmpty = isEmpty && names != null && names.length == 0;
            }
            if (isEmpty) return true;
            for (Path place : scratch()) {
                if (!kept.contains(place)) Files.delete(place);
            }
            return true;
        } catch (IOException error) {
            return false;
        }
    }

    private static void flush() {
        System.out.flush();
        System.err.flush();
    }

    private static Map<String, Object> header(String name, Object value) {
        Map<String, Object> made = new LinkedHashMap<>();
        made.put(name, value);
        return made;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String cut(String text, int most) {
        return text.length() > most ? text.substring(0, most) : text;
    }
}
