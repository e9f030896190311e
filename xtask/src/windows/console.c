/* A command goes in; it is started on a console of its own, and when it said its first line, Ctrl-C is pressed there.
 *
 * console PROGRAM ARGUMENT: what the program writes is passed on, then how it ended. Of the argument, quotes are kept. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

static int failed(const char *what)
{
    printf("console: %s: error %lu\n", what, GetLastError());
    return 1;
}

int main(int count, char **words)
{
    char line[8192], *end = line, *c, bytes[1024];
    SECURITY_ATTRIBUTES inheritable = {sizeof inheritable, NULL, TRUE};
    STARTUPINFOA start = {sizeof start};
    PROCESS_INFORMATION program;
    HANDLE from, to;
    DWORD got, code;
    int pressed = 0;

    if (count != 3 || strlen(words[1]) + 2 * strlen(words[2]) > sizeof line - 16) return failed("PROGRAM ARGUMENT");
    end += sprintf(end, "\"%s\" \"", words[1]);
    for (c = words[2]; *c; c++) {
        if (*c == '"') *end++ = '\\';
        *end++ = *c;
    }
    strcpy(end, "\"");

    FreeConsole();
    if (!AllocConsole()) return failed("no console");
    if (!CreatePipe(&from, &to, &inheritable, 0)) return failed("no pipe");
    SetHandleInformation(from, HANDLE_FLAG_INHERIT, 0);
    start.dwFlags = STARTF_USESTDHANDLES;
    start.hStdOutput = start.hStdError = to;
    if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &program)) return failed(line);
    CloseHandle(to);

    while (ReadFile(from, bytes, sizeof bytes, &got, NULL) && got) {
        fwrite(bytes, 1, got, stdout);
        fflush(stdout);
        if (pressed++) continue;
        /* It goes to everybody on this console, but not to who does not listen. */
        SetConsoleCtrlHandler(NULL, TRUE);
        if (!GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)) return failed("Ctrl-C");
        printf("console: Ctrl-C was pressed\n");
        fflush(stdout);
    }
    WaitForSingleObject(program.hProcess, INFINITE);
    GetExitCodeProcess(program.hProcess, &code);
    printf("console: it ended with %lu\n", code);
    return 0;
}
