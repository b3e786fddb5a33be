public class Hello {
    public String apply(String name) {
        return "Hello " + name;
    }
}
