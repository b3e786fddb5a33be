import algorium.Algorium;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

public class Probe {
    static class InputError extends RuntimeException {
        InputError(String message) {
            super(message);
        }
    }

    private int runs;

    public void load() throws IOException {
        Files.createFile(Path.of("/tmp/kept"));
    }

    public Object apply(Object value) throws Exception {
        runs++;
        Object act = value instanceof Map ? ((Map<?, ?>) value).get("do") : null;
        if (act == null) return value;
        Map<?, ?> wish = (Map<?, ?>) value;
        switch ((String) act) {
            case "count":
                return runs;
            case "refuse":
                throw new InputError("too small");
            case "fail":
                throw new IllegalStateException("out of luck");
            case "print":
                System.out.println("one");
                System.err.println("two");
                return null;
            case "write":
                try (FileOutputStream out = new FileOutputStream(FileDescriptor.out)) {
                    out.write("straight".getBytes());
                    return null;
                }
            case "bytes":
                byte[] bytes = new byte[(int) (2 * (Long) wish.get("half"))];
                for (int n = 1; n < bytes.length; n += 2) bytes[n] = (byte) 255;
                return bytes;
            case "scratch":
                String[] found = new File("/tmp").list();
                Arrays.sort(found);
                Files.createDirectories(Path.of("/tmp/left/deep"));
                Files.createFile(Path.of("/tmp/left/deep/file"));
                return found;
            case "status":
                return Files.readString(Path.of("/proc/self/status"));
            case "leave":
                new ProcessBuilder("sleep", "60").start();
                return null;
            case "call":
                return Algorium.call((String) wish.get("name"), wish.get("with"), 5);
            case "exit":
                System.exit(3);
                return null;
            case "hang":
                Thread.sleep(600_000);
                return null;
            case "fill":
                List<byte[]> held = new ArrayList<>();
                for (int n = 0; n < 4096; n++) held.add(new byte[1 << 20]);
                return held.size();
            default:
                return value;
        }
    }
}
