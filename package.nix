{
  buildGoModule,
  installShellFiles,
  lib,
  revision ? "unknown",
}:
let
  inherit (lib) fileset;
in
buildGoModule {
  pname = "git-deploy";
  version = "0.1.0";
  src = fileset.toSource {
    root = ./.;
    fileset = fileset.unions [
      ./go.mod
      ./go.sum
      ./cmd
      ./hooks
      ./internal
      ./nixlib
      ./pkg
    ];
  };
  # The NAR hash of `go mod vendor`; `make generate` writes it, a test keeps it.
  vendorHash = "sha256-bRdIr30iOeZIbCoixL+9g22eSsj69NIizQBPY/omUJI=";
  subPackages = [
    "cmd/git-deploy"
    "cmd/git-remote-node"
  ];
  env.CGO_ENABLED = 0;
  tags = [ "urfave_cli_no_docs" ];
  ldflags = [
    "-s"
    "-w"
    "-X github.com/git-deploy/git-deploy/pkg/version.Revision=${revision}"
  ];
  nativeBuildInputs = [ installShellFiles ];
  # The tests make namespaces and test hosts; `make test` runs them.
  doCheck = false;
  postInstall = ''
    $out/bin/git-deploy man > git-deploy.1
    $out/bin/git-deploy man options > git-deploy-options.5
    installManPage git-deploy.1 git-deploy-options.5
    installShellCompletion --cmd git-deploy \
      --bash <($out/bin/git-deploy completion bash) \
      --zsh <($out/bin/git-deploy completion zsh) \
      --fish <($out/bin/git-deploy completion fish)
  '';
  meta = {
    description = "Deploy networks of NixOS machines with git push";
    license = lib.licenses.mit;
    mainProgram = "git-deploy";
    platforms = lib.platforms.linux;
  };
}
